"""The configuration file: reading, writing and checking it, and finding the rules and the secret that it names."""

from abuse_triage.config.check import problems, read_secret, secret
from abuse_triage.config.lists import freemail, robots
from abuse_triage.config.read import load, number_format, parse
from abuse_triage.config.rulefiles import rule_files, shipped_rules, taxonomy
from abuse_triage.config.templates import templates
from abuse_triage.config.write import neutral, render
from abuse_triage.model.fields import host_port

__all__ = [
    "freemail",
    "host_port",
    "load",
    "neutral",
    "number_format",
    "parse",
    "problems",
    "read_secret",
    "render",
    "robots",
    "rule_files",
    "secret",
    "shipped_rules",
    "taxonomy",
    "templates",
]
