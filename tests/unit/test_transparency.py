"""The text of DATA."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abuse_triage.service.transparency import MessageText

_TEXTS = st.lists(st.sampled_from([b".", b"\r", b"\n", b"\r\n", b"x", b"..", b"\r\n.", b"abc"]), max_size=30).map(
    b"".join
)


def _stuffed(text: bytes) -> bytes:
    return (b"\r\n" + text).replace(b"\r\n.", b"\r\n..")[2:]


@given(_TEXTS, st.lists(st.integers(0, 100), max_size=5))
def test_any_pieces(text: bytes, cuts: list[int]) -> None:
    """However the stuffed text is cut into pieces, the text comes out, and its size is known."""
    stuffed = _stuffed(text)
    edges = sorted({0, len(stuffed), *(cut for cut in cuts if cut < len(stuffed))})
    message = MessageText(10_000)
    for start, end in pairwise(edges):
        message.feed(stuffed[start:end])
    assert text == message.finish()
    assert len(text) == message.size


@pytest.mark.parametrize(("size", "kept"), [(100, True), (101, False)])
def test_limit(size: int, kept: bool) -> None:
    """A text of the limit is kept; one byte more and it is dropped, but counted."""
    message = MessageText(100)
    message.feed(b"x" * size)
    assert (b"x" * 100 if kept else b"") == message.finish()
    assert size == message.size


@pytest.mark.parametrize(("size", "expected"), [(100, 100), (101, 30), (10_000, 30)])
def test_beginning(size: int, expected: int) -> None:
    """Of a text beyond the limit the beginning is kept where that is asked for, and the text says so."""
    message = MessageText(100, keep=30)
    for _ in range(0, size, 7):
        message.feed(b"x" * min(7, size - message.size))
    assert size > 100 or message.held == size
    assert (size > 100) == message.truncated
    assert b"x" * expected == message.finish()
    assert size == message.size


@pytest.mark.parametrize("keep", [100, 1000])
def test_no_more_than_the_limit(keep: int) -> None:
    """Never more than the limit is kept, whatever is asked for; and what comes at once is cut as well."""
    message = MessageText(100, keep=keep)
    message.feed(b"y" * 5000)
    assert 100 == message.held
    assert b"y" * 100 == message.finish()


@given(_TEXTS, st.integers(1, 20), st.integers(1, 30))
def test_beginning_of_any_text(text: bytes, limit: int, keep: int) -> None:
    """What is kept of a text is always its beginning, with its dots as they were."""
    message = MessageText(limit, keep=keep)
    message.feed(_stuffed(text))
    assert message.finish() == (text if len(text) <= limit else text[: min(keep, limit)])


def test_drop() -> None:
    """A dropped text is gone, and what still comes is only counted."""
    message = MessageText(100)
    message.feed(b"x" * 50)
    message.drop()
    message.feed(b"x" * 10)
    assert b"" == message.finish()
    assert 60 == message.size
