"""What can be wrong around a configuration that is right in itself: files, folders, rights, and what does not fit."""

import os
import stat
from pathlib import Path

from abuse_triage.config.certificate import certificate_problems
from abuse_triage.config.lists import list_problems
from abuse_triage.errors import ConfigError
from abuse_triage.model.settings import Settings

_SECRET_MIN, _SECRET_MAX = 32, 4096


def problems(settings: Settings, path: Path) -> list[str]:
    """Check settings against the machine; returns lines `file: key: problem`, `path` being the file they came from.

    Nothing is created or changed. The rules are checked by whoever may import them.
    """
    found = _identity(settings) + _secret(settings.reply.secret_file) + _store(settings.store.path)
    found += certificate_problems(settings.smtp)
    for address in settings.lmtp.listen:
        if address.startswith("/"):
            found += _folder("lmtp.listen", Path(address).parent)
    if not settings.outbox.smarthost:
        found += _folder("outbox.folder", settings.outbox.folder)
    if path.exists() and path.stat().st_mode & stat.S_IWOTH:
        found.append("permissions: everybody may write this file")
    return [f"{path}: {problem}" for problem in found] + list_problems(settings)


def secret(settings: Settings) -> bytes:
    """Return the secret that signs our Message-IDs; raises `ConfigError` where there is none that is fit."""
    return read_secret(settings.reply.secret_file)


def read_secret(file: Path) -> bytes:
    """Return the content of a secret file, 32 to 4096 bytes that nobody else may read; raises `ConfigError`."""
    if found := _secret(file):
        raise ConfigError(tuple(f"{file}: {problem}" for problem in found), advice="`abuse-triage init` makes one.")
    return file.read_bytes()


def _identity(settings: Settings) -> list[str]:
    found = []
    if settings.outbox.smarthost and settings.team.example:
        found.append(
            "outbox.smarthost: nothing is sent while the identity is an example; fill in [team], [[mailbox]] and"
            " [scope], then set team.example = false"
        )
    if settings.outbox.smarthost and settings.reply.message_id_domain == "localhost":
        found.append("reply.message_id_domain: name a domain of yours; mail from localhost looks forged")
    return found


def _secret(file: Path) -> list[str]:
    try:
        status = file.stat()
        readable = os.access(file, os.R_OK)
    except OSError as error:
        return [f"reply.secret_file: {file}: {error.strerror}; `head -c 32 /dev/urandom` makes one"]
    if not stat.S_ISREG(status.st_mode):
        return [f"reply.secret_file: {file} is not a file"]
    found = []
    if not readable:
        found.append(f"reply.secret_file: {file} cannot be read by this user")
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        found.append(f"reply.secret_file: {file} can be read by others; chmod 600 it")
    if not _SECRET_MIN <= status.st_size <= _SECRET_MAX:
        found.append(f"reply.secret_file: {file} has {status.st_size} bytes; 32 to 4096 are needed")
    return found


def _store(file: Path) -> list[str]:
    if file.exists() and not (file.is_file() and os.access(file, os.R_OK | os.W_OK)):
        return [f"store.path: {file} is not a file that this user may write"]
    return _folder("store.path", file.parent)


def _folder(key: str, folder: Path) -> list[str]:
    """Check that a folder can be written, or be made in a folder that can."""
    if folder.is_dir():
        return [] if os.access(folder, os.W_OK | os.X_OK) else [f"{key}: {folder} cannot be written by this user"]
    if folder.exists():
        return [f"{key}: {folder} is not a folder"]
    return [f"{key}: the folder {folder} does not exist"]
