"""What several kinds of tests need."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from pgp import Forge

_BESIDE = Path(__file__).resolve().parents[2] / "shared" / "corpora"


@pytest.fixture(autouse=True)
def _logs_as_they_were() -> Iterator[None]:
    """Undo what a command that runs in the process of the tests configures about logs."""
    yield
    if structlog.is_configured():
        structlog.reset_defaults()
        logging.captureWarnings(capture=False)


@pytest.fixture(scope="session")
def corpora() -> Path:
    """Give the folder of sample messages that are no part of the project.

    ABUSE_TRIAGE_CORPORA names it; without it, it is looked for at ../shared/corpora beside the checkout. Tests are
    skipped where it is absent. ABUSE_TRIAGE_CORPORA=required looks beside the checkout and fails instead of skipping.
    """
    named = os.environ.get("ABUSE_TRIAGE_CORPORA", "")
    folder = _BESIDE if named in {"", "required"} else Path(named)
    if folder.is_dir():
        return folder
    reason = f"no sample messages: {folder} is no folder (ABUSE_TRIAGE_CORPORA={named})"
    if named == "required":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def forge() -> Iterator[Forge]:
    """Give everybody's OpenPGP keys, each made when it is asked for first."""
    with Forge.open() as made:
        yield made
