"""Makes the team's key, or takes it over: what is to be written where, and what the configuration will say."""

import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from abuse_triage.model.settings import Settings
from abuse_triage.openpgp import teamkey
from abuse_triage.openpgp.home import CHEAP
from abuse_triage.openpgp.runtime import runtime_folder
from abuse_triage.service import keyring

KEY_FILE = Path("team-key.asc")
"""The file with the secret keys beside the configuration, where it names none."""
PASSPHRASE_FILE = Path("team-key.passphrase")
_RANDOM = re.compile(r"[0-9a-f]{64}")
"""A passphrase of ours: 256 random bits, which nobody guesses however fast a guess is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What to write: `files` by absolute path, the passphrase first; `settings` are those that name them."""

    settings: Settings
    files: dict[Path, bytes]


def new_key(settings: Settings, folder: Path) -> Made:
    """Make a key for the team with a user id for each mailbox; nothing is written.

    Relative paths start at `folder`, that of the configuration. Raises `ConfigError` and `TemporaryError`.
    """
    passphrase, settings, files = _passphrase(settings, folder)
    fingerprint, content = teamkey.generate(
        settings.team.name,
        [mailbox.address for mailbox in settings.mailbox],
        passphrase=passphrase,
        runtime=runtime_folder(settings.openpgp.runtime),
        stretch=_stretch(passphrase),
    )
    return _made(settings, folder, files, content, fingerprint)


def imported(settings: Settings, folder: Path, content: bytes, passphrase: str) -> Made:
    """Merge secret keys, which `passphrase` opens, with those that are there; nothing is written.

    Where the configuration advertises no key, it will be the first of the new ones. Raises `InputError`,
    `ConfigError` and `TemporaryError`.
    """
    settings = _named(settings, folder)
    existing, existing_passphrase = keyring.secret_keys(settings) or (b"", "")
    kept, settings, files = _passphrase(settings, folder)
    keys, merged = teamkey.merge(
        content,
        passphrase,
        existing,
        existing_passphrase,
        passphrase=kept,
        runtime=runtime_folder(settings.openpgp.runtime),
        stretch=_stretch(kept),
    )
    return _made(settings, folder, files, merged, settings.team.openpgp_fingerprint or keys[0].fingerprint)


def unnamed(settings: Settings, folder: Path) -> list[str]:
    """Say that a key was made beside the configuration, in `folder`, which that does not name, or has forgotten."""
    made, configured = folder / KEY_FILE, settings.openpgp.secret_key
    if not made.exists() or (configured is not None and configured.exists() and configured.samefile(made)):
        return []
    words = "is there, but openpgp.secret_key does not name it: its keys are not used. To use them, put"
    return [f'{made} {words} secret_key = "{KEY_FILE}" into [openpgp]']


def _named(settings: Settings, folder: Path) -> Settings:
    """Name the files that were made before and are not in the configuration yet: what is in them must not be lost."""
    found = {}
    if settings.openpgp.secret_key is None and (folder / KEY_FILE).exists():
        found["secret_key"] = folder / KEY_FILE
    if settings.openpgp.passphrase is None and not keyring.credential() and (folder / PASSPHRASE_FILE).exists():
        found["passphrase"] = folder / PASSPHRASE_FILE
    return settings.model_copy(update={"openpgp": settings.openpgp.model_copy(update=found)})


def _passphrase(settings: Settings, folder: Path) -> tuple[str, Settings, dict[Path, bytes]]:
    """Return the configured passphrase, or a new one with settings and file for it."""
    configured = settings.openpgp.passphrase
    if (configured is not None and (folder / configured).exists()) or (configured is None and keyring.credential()):
        return keyring.read_passphrase(settings), settings, {}
    passphrase, file = secrets.token_hex(32), configured or PASSPHRASE_FILE
    openpgp = settings.openpgp.model_copy(update={"passphrase": file})
    changed = settings.model_copy(update={"openpgp": openpgp})
    return passphrase, changed, {folder / file: f"{passphrase}\n".encode()}


def _stretch(passphrase: str) -> int:
    return CHEAP if _RANDOM.fullmatch(passphrase) else 0


def _made(settings: Settings, folder: Path, files: dict[Path, bytes], content: bytes, advertised: str) -> Made:
    file = settings.openpgp.secret_key or KEY_FILE
    changed = {
        "team": settings.team.model_copy(update={"openpgp_fingerprint": advertised}),
        "openpgp": settings.openpgp.model_copy(update={"secret_key": file}),
    }
    return Made(
        settings=settings.model_copy(update=changed),
        files={**files, folder / file: content},
    )
