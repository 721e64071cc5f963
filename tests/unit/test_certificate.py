"""The certificate of STARTTLS, checked before anybody needs it."""

import ssl
import subprocess
from pathlib import Path

import pytest
from dialogue import certificate

from abuse_triage.config.certificate import certificate_problems, server_context
from abuse_triage.errors import ConfigError
from abuse_triage.model.settings import SmtpSettings


def private(path: Path, content: bytes) -> Path:
    """Write a file that only its owner can read."""
    path.touch(0o600)
    path.write_bytes(content)
    return path


def parts(pem: bytes) -> tuple[bytes, bytes]:
    """Split the key from the certificate."""
    at = pem.index(b"-----BEGIN CERTIFICATE")
    return pem[:at], pem[at:]


def smtp(chain: Path | None, key: Path | None = None) -> SmtpSettings:
    """Settings with a certificate."""
    return SmtpSettings(certificate=chain, certificate_key=key)


def test_none() -> None:
    """Without a certificate there is no encryption and no problem."""
    assert server_context(smtp(None)) is None
    assert [] == certificate_problems(smtp(None))


def test_one_file_or_two(tmp_path: Path) -> None:
    """Certificate and key may stand in one file or in two; the chain may be public."""
    key, chain = parts(certificate())
    both = private(tmp_path / "both.pem", certificate())
    (tmp_path / "chain.pem").write_bytes(chain)
    for settings in (smtp(both), smtp(tmp_path / "chain.pem", private(tmp_path / "key.pem", key))):
        context = server_context(settings)
        assert context is not None
        assert ssl.TLSVersion.TLSv1_2 == context.minimum_version
        assert context.options & ssl.OP_NO_RENEGOTIATION


def test_every_unreadable_file_is_named(tmp_path: Path) -> None:
    """Files that cannot be opened are all named, each under its key."""
    with pytest.raises(ConfigError) as error:
        server_context(smtp(tmp_path / "a.pem", tmp_path))
    assert (
        f"smtp.certificate: {tmp_path}/a.pem: No such file or directory",
        f"smtp.certificate_key: {tmp_path}: Is a directory",
    ) == error.value.problems


def test_key_without_certificate(tmp_path: Path) -> None:
    """A key alone is a mistake."""
    assert ["smtp.certificate_key: needs smtp.certificate"] == certificate_problems(smtp(None, tmp_path / "key.pem"))


def test_key_that_everybody_can_read(tmp_path: Path) -> None:
    """A key that others can read is no secret."""
    path = private(tmp_path / "both.pem", certificate())
    path.chmod(0o644)
    assert [f"smtp.certificate: {path} has a key that everybody can read; chmod 640 it"] == certificate_problems(
        smtp(path)
    )


def test_key_of_another(tmp_path: Path) -> None:
    """A key that does not belong to the certificate is found."""
    other = subprocess.run(("openssl", "ecparam", "-genkey", "-name", "prime256v1"), capture_output=True, check=True)
    key = private(tmp_path / "key.pem", other.stdout)
    chain = private(tmp_path / "chain.pem", parts(certificate())[1])
    assert [f"smtp.certificate_key: {key}: the key does not belong to the certificate"] == certificate_problems(
        smtp(chain, key)
    )


def test_key_with_a_passphrase(tmp_path: Path) -> None:
    """A key with a passphrase is refused, and nothing stops at a prompt."""
    command = ("openssl", "pkcs8", "-topk8", "-passout", "pass:hunter2")
    locked = subprocess.run(command, input=parts(certificate())[0], capture_output=True, check=True)
    key = private(tmp_path / "key.pem", locked.stdout)
    chain = private(tmp_path / "chain.pem", parts(certificate())[1])
    assert [f"smtp.certificate_key: {key}: the key has a passphrase, and nobody is there to type it"] == (
        certificate_problems(smtp(chain, key))
    )


def test_nonsense(tmp_path: Path) -> None:
    """A file that holds no certificate is refused."""
    path = private(tmp_path / "both.pem", b"-----BEGIN CERTIFICATE-----\nx\n")
    assert [f"smtp.certificate: {path}: no certificate and its key in PEM"] == certificate_problems(smtp(path))
