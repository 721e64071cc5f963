"""Email-driven triage for the abuse mailbox of a CSIRT."""

__version__ = "0.1.0"
