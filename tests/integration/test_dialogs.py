"""Every dialogue in tests/dialogs, played against the real intake and the real store."""

from pathlib import Path

import pytest
from dialogue import play

DIALOGUES = sorted((Path(__file__).parent.parent / "dialogs").glob("*.[sl]mtp"))


@pytest.mark.parametrize("file", DIALOGUES, ids=[file.name for file in DIALOGUES])
async def test_dialogue(file: Path, tmp_path: Path) -> None:
    """The intake answers as the file says."""
    await play(file, tmp_path)
