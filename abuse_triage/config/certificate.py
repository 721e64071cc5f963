"""The certificate of STARTTLS: read and checked when the program starts, not when the first client asks."""

import ssl
import stat
from pathlib import Path

from abuse_triage.errors import ConfigError
from abuse_triage.model.settings import SmtpSettings


def server_context(smtp: SmtpSettings) -> ssl.SSLContext | None:
    """Return what encrypts connections with TLS 1.2 or later, None where no certificate is set; raises `ConfigError`.

    Clients may resume sessions by tickets (RFC 8446 section 2.2): nothing is remembered here for those that are gone.
    """
    if found := _unreadable(smtp):
        raise ConfigError(tuple(found))
    if smtp.certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    if problem := _load(context, smtp.certificate, smtp.certificate_key):
        raise ConfigError((problem,))
    return context


def certificate_problems(smtp: SmtpSettings) -> list[str]:
    """Return what is wrong with the certificate and its key, as lines `key: problem`."""
    try:
        server_context(smtp)
    except ConfigError as error:
        return list(error.problems)
    return []


def _unreadable(smtp: SmtpSettings) -> list[str]:
    if smtp.certificate is None:
        return ["smtp.certificate_key: needs smtp.certificate"] if smtp.certificate_key else []
    found = []
    files = {"certificate": smtp.certificate, "certificate_key": smtp.certificate_key}
    secret = smtp.certificate_key or smtp.certificate
    for name, file in files.items():
        try:
            if file:
                file.open("rb").close()
        except OSError as error:
            found.append(f"smtp.{name}: {file}: {error.strerror}")
            continue
        if file == secret and file.stat().st_mode & (stat.S_IROTH | stat.S_IWOTH):
            found.append(f"smtp.{name}: {file} has a key that everybody can read; chmod 640 it")
    return found


def _load(context: ssl.SSLContext, certificate: Path, key: Path | None) -> str:
    place = f"smtp.certificate_key: {key}" if key else f"smtp.certificate: {certificate}"
    try:
        context.load_cert_chain(certificate, key, password=_no_passphrase)
    except _PassphraseError:
        return f"{place}: the key has a passphrase, and nobody is there to type it"
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            return f"{place}: the key does not belong to the certificate"
        pair = f"{certificate} with {key}" if key else str(certificate)
        return f"smtp.certificate: {pair}: no certificate and its key in PEM"
    return ""


class _PassphraseError(Exception):
    """OpenSSL asks for a passphrase, which would stop the program at a prompt."""


def _no_passphrase() -> str:
    raise _PassphraseError
