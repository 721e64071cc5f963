"""The words of our mail, as the settings name them: the shipped templates, or an operator's own in their place."""

from abuse_triage import config
from abuse_triage.model.settings import Settings
from abuse_triage.replies.wording import NAMES, SHIPPED, Wording


def wording_of(settings: Settings) -> Wording:
    """Load the templates; raises `ConfigError` with every problem in those of the operator."""
    folder = settings.reply.templates
    return Wording(config.templates(folder, NAMES), place=f"{folder.name}/") if folder else SHIPPED
