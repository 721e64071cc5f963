"""The certificate of STARTTLS: read and checked when the program starts, not when the first client asks."""

import ssl
from pathlib import Path

from abuse_triage.errors import ConfigError
from abuse_triage.model.settings import SmtpSettings


def server_context(smtp: SmtpSettings) -> ssl.SSLContext | None:
    """Return what encrypts connections with TLS 1.2 or later, None where no certificate is set; raises `ConfigError`.

    Sessions are not resumed, so that nothing is remembered for clients that are gone.
    """
    if smtp.certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_TICKET
    context.num_tickets = 0
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


def _load(context: ssl.SSLContext, certificate: Path, key: Path | None) -> str:
    for name, file in (("certificate", certificate), ("certificate_key", key)):
        try:
            if file:
                file.open("rb").close()
        except OSError as error:
            return f"smtp.{name}: {file}: {error.strerror}"
    place = f"smtp.certificate_key: {key}" if key else f"smtp.certificate: {certificate}"
    try:
        context.load_cert_chain(certificate, key, password=_no_passphrase)
    except _PassphraseError:
        return f"{place}: the key has a passphrase; nobody is there to type it"
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            return f"{place}: the key does not belong to the certificate"
        return f"smtp.certificate: {certificate}: no certificate with its key can be read from PEM"
    return ""


class _PassphraseError(Exception):
    """OpenSSL asks for a passphrase, which would stop the program at a prompt."""


def _no_passphrase() -> str:
    raise _PassphraseError
