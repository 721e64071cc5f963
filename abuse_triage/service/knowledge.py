"""Loads what decisions are made with: rules, taxonomy, constituency, templates and the secret of our Message-IDs."""

from abuse_triage import config
from abuse_triage.indicators.scope import Constituency
from abuse_triage.model.settings import Settings
from abuse_triage.outcomes import Knowledge
from abuse_triage.replies.wording import NAMES, SHIPPED, Wording
from abuse_triage.rules.load import load


def knowledge_of(settings: Settings) -> Knowledge:
    """Build one generation; raises `ConfigError` with every problem in the rules, or `TriageError` for the secret."""
    files, taxonomy = config.rule_files(settings)
    return Knowledge(
        settings=settings,
        ruleset=load(files, taxonomy),
        constituency=Constituency(settings.scope),
        secret=config.secret(settings),
        wording=wording_of(settings),
    )


def wording_of(settings: Settings) -> Wording:
    """Load the operator's own templates, where there are any; raises `ConfigError` with every problem in them."""
    folder = settings.reply.templates
    return Wording(config.templates(folder, NAMES), place=f"{folder.name}/") if folder else SHIPPED
