"""The team's keys as the configuration names them: checked, unlocked, described."""

import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from abuse_triage.errors import ConfigError, InputError, TriageError
from abuse_triage.model.settings import Settings
from abuse_triage.openpgp import listing, teamkey
from abuse_triage.openpgp.home import Home
from abuse_triage.openpgp.runtime import in_memory, runtime_folder
from abuse_triage.store.keys import Keys

CREDENTIAL = "openpgp-passphrase"
"""Name of the systemd credential with the passphrase (systemd.exec(5), "Credentials")."""
_LONGEST = 255
_SOON = timedelta(days=60)


def team_home(settings: Settings) -> Home | None:
    """Make a private home with the team's keys unlocked; None where no secret key is configured.

    Whoever calls closes it. Raises `ConfigError` where the files are not fit, and `TemporaryError` where GnuPG does not
    work.
    """
    file = settings.openpgp.secret_key
    if file is None:
        return None
    content = _content("openpgp.secret_key", file, teamkey.LARGEST, private=True)
    passphrase = read_passphrase(settings)
    home = Home(runtime_folder(settings.openpgp.runtime))
    try:
        home.take(content, passphrase.encode())
    except InputError as error:
        home.close()
        words = _why_closed(content, passphrase) or str(error)
        raise ConfigError((f"openpgp.secret_key: {file}: {words}",), advice=error.advice) from error
    except BaseException:
        home.close()
        raise
    return home


def _why_closed(content: bytes, passphrase: str) -> str:
    """Say why keys do not open, "" where there is another reason than the file and the passphrase."""
    if not content:
        return "is empty; bring it back from a backup, or remove it and run `abuse-triage key generate`"
    if not teamkey.described(content):
        return "holds no OpenPGP keys, or is damaged"
    if not passphrase:
        return f"the secret keys cannot be opened; no openpgp.passphrase is set, and no credential {CREDENTIAL} is here"
    return "the secret keys cannot be opened: the passphrase is wrong"


def secret_keys(settings: Settings) -> tuple[bytes, str] | None:
    """Return the file with the team's secret keys and its passphrase, None where there is none yet."""
    file = settings.openpgp.secret_key
    if file is None or not file.exists():
        return None
    return _content("openpgp.secret_key", file, teamkey.LARGEST, private=True), read_passphrase(settings)


def read_passphrase(settings: Settings) -> str:
    """Return the passphrase of the secret keys, "" for none; raises `ConfigError`."""
    file = settings.openpgp.passphrase
    if file is not None:
        content = _content("openpgp.passphrase", file, _LONGEST + 2, private=True)
    else:
        file = credential()
        if file is None:
            return ""
        content = _content("openpgp.passphrase", file, _LONGEST + 2, private=False)  # systemd sees to the rights
    return passphrase_in(content, f"openpgp.passphrase: {file}")


def credential() -> Path | None:
    """Return the file of the systemd credential, None where there is none."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY", "")
    file = Path(folder) / CREDENTIAL
    return file if folder and file.exists() else None


def passphrase_in(content: bytes, place: str) -> str:
    """Return the passphrase that is the one line of a file; raises `ConfigError` that names the place."""
    try:
        passphrase = content.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        passphrase = ""
    if not passphrase.isprintable() or not passphrase or len(content) > _LONGEST:
        raise ConfigError((f"{place}: should be one line of at most {_LONGEST} bytes",))
    return passphrase


def problems(settings: Settings) -> list[str]:
    """Try everything that OpenPGP stands on here: files, rights, passphrase, signing, opening.

    Returns lines `key: problem`; nothing is changed.
    """
    try:
        home = team_home(settings)
    except ConfigError as error:
        return list(error.problems)
    except TriageError as error:
        return [f"openpgp.secret_key: {error}. {error.advice}"]
    if home is None:
        return []
    with home:
        advertised = settings.team.openpgp_fingerprint
        if not advertised:
            return []
        return [f"openpgp.secret_key: {settings.openpgp.secret_key}: {words}" for words in home.problems(advertised)]


def notes(settings: Settings) -> list[str]:
    """Say what is no mistake, and yet worth knowing."""
    advertised, file = settings.team.openpgp_fingerprint, settings.openpgp.secret_key
    found = []
    if advertised and file is None:
        found.append(
            f"team.openpgp_fingerprint advertises {advertised}, but there is no openpgp.secret_key: encrypted reports"
            " cannot be opened, and nothing is signed"
        )
    if file is not None:
        if not advertised:
            found.append("openpgp.secret_key is there, but team.openpgp_fingerprint is empty: nothing is signed")
        runtime = runtime_folder(settings.openpgp.runtime)
        if not in_memory(runtime):
            found.append(f"openpgp.runtime: {runtime} is on a disk: secret keys in use are written to it")
    return found + _lapsed(settings, datetime.now(UTC))


def _lapsed(settings: Settings, now: datetime) -> list[str]:
    """Say what the advertised key cannot do any more, because it or a subkey has expired."""
    own = _own_key(settings)
    if own is None:
        return []
    effects = (
        ("s", "answers to reporters wait, because they cannot be signed"),
        ("e", "nobody can encrypt to it, and what comes all the same is opened"),
    )
    lost = [effect for use, effect in effects if not own.parts_for(use, now)]
    extend = "Extend it with gpg, bring it in with `key import-secret`, then `key publish`."
    return [f"the team's own key {own.fingerprint} has expired: {'; '.join(lost)}. {extend}"] if lost else []


def expiring(settings: Settings, store: Keys, now: datetime) -> list[str]:
    """Say which keys expire within 60 days or have expired: the team's own, and those that you vouch for."""
    found = []
    end = _own_end(settings, now)
    if end is not None and end <= now + _SOON:
        found.append(
            f"the team's own key {settings.team.openpgp_fingerprint} {_when(end, settings, now)}: extend it with gpg,"
            " bring it in with `key import-secret`, then `key publish`"
        )
    for known in store.expiring_keys(now + _SOON):
        key = known.certificate
        found.append(
            f"the key {key.fingerprint} of {', '.join(known.addresses)} {_when(key.expires or now, settings, now)}:"
            " ask for a renewed copy, then `key add`"
        )
    return found


def _own_end(settings: Settings, now: datetime) -> datetime | None:
    """Return when the advertised key expires, None for never, or where there is none to look at."""
    own = _own_key(settings)
    return own.expires(now) if own else None


def _own_key(settings: Settings) -> listing.Key | None:
    """Return the advertised key as its file describes it, None where there is none to look at."""
    file, advertised = settings.openpgp.secret_key, settings.team.openpgp_fingerprint
    if file is None or not advertised:
        return None
    try:
        keys = teamkey.described(_content("openpgp.secret_key", file, teamkey.LARGEST, private=True))
    except ConfigError:  # check-config says so
        return None
    return next((key for key in keys if key.fingerprint == advertised), None)


def _when(end: datetime, settings: Settings, now: datetime) -> str:
    day = end.astimezone(ZoneInfo(settings.team.timezone)).date()
    return f"{'expired' if end <= now else 'expires'} on {day.isoformat()}"


def _content(key: str, file: Path, most: int, *, private: bool) -> bytes:
    try:
        with file.open("rb") as stream:
            status = os.fstat(stream.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise ConfigError((f"{key}: {file} is not a file",))
            if private and status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise ConfigError((f"{key}: {file} can be read by others; chmod 600 it",))
            content = stream.read(most + 1)
    except OSError as error:
        raise ConfigError(
            (f"{key}: {file}: {error.strerror}; `abuse-triage key generate` or `key import-secret` makes it",),
            advice="Where there was one, bring it back from a backup.",
        ) from error
    if len(content) > most:
        raise ConfigError((f"{key}: {file} is larger than {most} bytes",))
    return content
