"""File types by their first bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abuse_triage.mail.sniff import detected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"%PDF-1.7\n", "application/pdf"),
        (b"PK\x03\x04rest", "application/zip"),
        (b"\x1f\x8b\x08", "application/gzip"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"RIFF1234WEBPVP8", "image/webp"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
        (b"\x78\x9f\x3e\x22", "application/ms-tnef"),
        (b"<?xml version='1.0'?>", "application/xml"),
        (b"-----BEGIN PGP MESSAGE-----", "application/pgp"),
        (b"\0" * 257 + b"ustar\0", "application/x-tar"),
        (b"MZ\x90\0\x03", "application/vnd.microsoft.portable-executable"),
        (b"BM\x36\0\0\0", "image/bmp"),
        (b"MZ is how this sentence begins", ""),
        (b"BM is how this one does", ""),
        (b"", ""),
        (b"plain text", ""),
        (b"%PD", ""),
    ],
)
def test_first_bytes_tell_the_type(data: bytes, expected: str) -> None:
    """Known beginnings are named, two letters alone are not enough, everything else is unknown."""
    assert expected == detected(data)


@given(st.binary(max_size=400))
def test_any_bytes_are_looked_at(data: bytes) -> None:
    """No bytes make it fail."""
    assert isinstance(detected(data), str)
