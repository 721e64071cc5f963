"""Loads what decisions are made with: rules, taxonomy, constituency, templates and the secret of our Message-IDs."""

from abuse_triage import config
from abuse_triage.indicators.scope import Constituency
from abuse_triage.model.settings import Settings
from abuse_triage.outcomes import Knowledge
from abuse_triage.rules.load import load
from abuse_triage.service.templates import wording_of


def knowledge_of(settings: Settings) -> Knowledge:
    """Build one generation; raises `ConfigError` with every problem in rules or lists, `TriageError` for the secret."""
    files, taxonomy = config.rule_files(settings)
    return Knowledge(
        settings=settings,
        ruleset=load(files, taxonomy),
        constituency=Constituency(settings.scope),
        secret=config.secret(settings),
        wording=wording_of(settings),
        robots=config.robots(settings),
    )
