"""What several kinds of tests need."""

import os
from pathlib import Path

import pytest

_BESIDE = Path(__file__).resolve().parents[2] / "shared" / "corpora"


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
