"""Bytes to text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abuse_triage.mail import charset


@pytest.mark.parametrize(
    ("declared", "data", "text", "codec"),
    [
        ("utf-8", "ação".encode(), "ação", "utf_8"),
        ("UTF8", "ação".encode(), "ação", "utf_8"),
        ("iso-8859-1", "ação".encode("latin-1"), "ação", "cp1252"),
        ("iso-8859-1", b"\x93ol\xe1\x94", "“olá”", "cp1252"),
        ("iso-8859-15", "10 €".encode("iso-8859-15"), "10 €", "iso8859_15"),
        ("windows-1251", "привет".encode("cp1251"), "привет", "cp1251"),
        ("gb2312", "你好".encode("gb18030"), "你好", "gb18030"),
        ("ks_c_5601-1987", "안녕".encode("cp949"), "안녕", "cp949"),
        ("iso-2022-jp", "日本".encode("iso2022_jp"), "日本", "iso2022_jp"),
        ("utf-16", "olá".encode("utf-16"), "olá", "utf_16"),
        ("us-ascii", "ação".encode(), "ação", "utf_8"),
        ("", "ação".encode(), "ação", "utf_8"),
        ("", "ação".encode("cp1252"), "ação", "cp1252"),
        ("utf-8", "ação".encode("cp1252"), "ação", "cp1252"),
        ("", b"plain", "plain", "ascii"),
        ("utf-8", b"plain", "plain", "utf_8"),
        ("x-unknown", b"a\x81b\xff", "a\ufffdbÿ", "cp1252"),
    ],
)
def test_declared_charset_then_utf_8_then_windows_1252(declared: str, data: bytes, text: str, codec: str) -> None:
    """The declared charset is used where it fits, then UTF-8, then windows-1252."""
    assert (text, codec) == charset.text(data, declared)


@pytest.mark.parametrize(
    "declared",
    [
        "utf-7",
        "punycode",
        "idna",
        "unicode_escape",
        "raw_unicode_escape",
        "rot13",
        "zlib",
        "base64",
        "mbcs",
        "undefined",
    ],
)
def test_codecs_that_are_no_charsets_are_refused(declared: str) -> None:
    """Codecs that let bytes mean something else are not on the list."""
    assert charset.codec(declared) == ""
    assert charset.text(b"+ADw-", declared) == ("+ADw-", "ascii")


def test_unknown_names_never_reach_the_codec_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sender cannot fill the cache of unknown codecs."""
    looked_up: list[str] = []
    monkeypatch.setattr("codecs.lookup", looked_up.append)
    assert charset.codec("no-such-charset-4711") == ""
    assert looked_up == []


@given(st.binary(), st.one_of(st.text(), st.sampled_from(sorted(charset.CODECS))))
def test_any_bytes_become_text_without_surrogates(data: bytes, declared: str) -> None:
    """No bytes and no declared charset make it fail or yield text that cannot be stored."""
    text, codec = charset.text(data, declared)
    text.encode("utf-8")
    assert codec in charset.CODECS | {"ascii", "cp1252"}
