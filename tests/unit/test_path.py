"""The paths of MAIL and RCPT."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abuse_triage.service.path import NULL_PATH, split_path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<a@example.org>", ("a@example.org", "")),
        ("<a@example.org> SIZE=5 BODY=7BIT", ("a@example.org", "SIZE=5 BODY=7BIT")),
        ("a@example.org", ("a@example.org", "")),
        ("a@example.org SIZE=5", ("a@example.org", "SIZE=5")),
        ("<@one.example,@two.example:a@example.org>", ("a@example.org", "")),
        ('<"a b"@example.org>', ('"a b"@example.org', "")),
        (r'<"a\"b"@example.org>', (r'"a\"b"@example.org', "")),
        ("<a@[IPv6:2001:db8::1]>", ("a@[IPv6:2001:db8::1]", "")),
        ("<joão@exemplo.pt>", ("joão@exemplo.pt", "")),
        (f"<{'v' * 256}@example.org>", (f"{'v' * 256}@example.org", "")),
        ("<>", (NULL_PATH, "")),
        ("<> SIZE=5", (NULL_PATH, "SIZE=5")),
    ],
)
def test_paths(text: str, expected: tuple[str, str]) -> None:
    """A path gives its mailbox as it was written, and its parameters."""
    assert expected == split_path(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<",
        "<a@example.org",
        "a@example.org>",
        "<a@example.org>SIZE=5",
        "<a>",
        "<a@>",
        "<@example.org>",
        "<a b@example.org>",
        "<a@b@example.org>",
        "<a,b@example.org>",
        "<a(c)@example.org>",
        '<"a@example.org>',
        "<a@[192.0.2.1>",
        f"<{'v' * 257}@example.org>",
    ],
)
def test_no_path(text: str) -> None:
    """What is not a path is None, never an exception."""
    assert split_path(text) is None


@given(st.text(alphabet='ab@<>"\\(.[]:, é', max_size=60))
def test_never_raises(text: str) -> None:
    """Whatever comes, the mailbox of a path stood in it."""
    found = split_path(text)
    assert found is None or found[0] in text


@pytest.mark.parametrize(
    "text", ["<" + "(" * 2000, '<"' + "\\" * 2000, "<@" + "a" * 2000, "<" + "a@" * 1000, "<>" + " " * 2000]
)
def test_linear(text: str) -> None:
    """The longest command line costs next to nothing."""
    start = time.perf_counter()
    for _ in range(100):
        split_path(text)
    assert time.perf_counter() - start < 0.5
