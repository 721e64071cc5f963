"""Tickets: their numbers, and which of them a message belongs to."""
