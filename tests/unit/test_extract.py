"""Indicators are found in real-looking lines, once each, in time that grows with the text only."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from abuse_triage.indicators import addresses, extract, grammar, names, refang, scan, urls
from abuse_triage.model.message import Place
from abuse_triage.model.report import Indicator, Kind

TABLE = yaml.safe_load((Path(__file__).parent / "data" / "indicators.yaml").read_text(encoding="utf-8"))
LINES = [
    pytest.param(row["line"], row["find"], id=f"{group}-{number}")
    for group, rows in TABLE.items()
    for number, row in enumerate(rows, 1)
]
PIECES = [
    *("http://", "hxxp://", "https[:]//", "www.", "example", ".", "pt", "org", "[.]", "(dot)", " ", "\n", "@", "[at]"),
    *("192.0.2.1", "255.", "2001:db8::1", ":", "::", "/", "x.php", "?q=1", "#f", "é", "crédito", "e\u0301", "\u200b"),
    *("[", "]", "(", ")", ",", ";", "'", '"', "-", "_", "=", "%2F", "\\", "xn--", "&quot;", "*", "Message-ID: <", "हि"),
]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=15).map("".join)
HOSTILE = [
    *(
        "a.",
        "1.",
        "a-",
        "-",
        ".",
        ":",
        "::",
        "2001:",
        "::1 ",
        "@",
        "a@",
        "a@b.",
        "a.pt@",
        "http://",
        "http://a.",
        "http://a@",
    ),
    *(
        "hxxp://",
        "[",
        "((((",
        "[.]",
        "a[.]",
        "[:]",
        "xn--",
        "deadbeef",
        " ",
        "é.",
        "\u200b",
        "1.1.1.1/",
        "a.pt/(",
        "a.pt/1.1.1.1/",
    ),
    *("http://a.pt/(", "http://a.pt/,", "References: <a@b.pt> ", "domain: a.pl ", "a [.] "),
]


def _find(text: str, limit: int = 100) -> tuple[Indicator, ...]:
    return extract.extract([(Place.BODY, text)], limit)[0]


def _shown(indicators: tuple[Indicator, ...]) -> list[str]:
    return [f"{indicator.kind.value} {indicator.value}" for indicator in indicators]


@pytest.mark.parametrize(("line", "find"), LINES)
def test_table(line: str, find: list[str]) -> None:
    """Every line of the table yields what a person reads in it, and nothing else."""
    assert find == _shown(_find(line))


def test_the_table_is_large() -> None:
    """The table has the size that makes it worth something."""
    assert len(LINES) >= 120


@given(TEXTS)
def test_what_is_found_stands_there(text: str) -> None:
    """Whatever the text: `seen` is a part of it, values are stable, and defanging keeps them."""
    for indicator in _find(text):
        assert indicator.seen in text
        assert indicator.value == refang.refang(refang.defang(indicator.value)).text
        assert _shown((indicator,)) == _shown(_find(refang.defang(indicator.value)))


@given(st.text(max_size=200))
def test_any_text_is_read(text: str) -> None:
    """No text whatsoever raises."""
    assert 0 <= len(_find(text))


@given(st.lists(st.tuples(st.sampled_from(Place), TEXTS), max_size=5), st.integers(0, 3))
def test_the_limit_and_the_rest(texts: list[tuple[Place, str]], limit: int) -> None:
    """With a limit the first indicators are the same, and the others are counted."""
    everything, nothing = extract.extract(texts, 1000)
    some, omitted = extract.extract(texts, limit)

    assert 0 == nothing
    assert len(everything) == len(some) + omitted
    assert [i.value for i in everything[:limit]] == [i.value for i in some]


def test_an_indicator_in_several_places_is_one() -> None:
    """Places are merged in their own order, `seen` is how it stood first."""
    texts = [
        (Place.FORWARDED, "loja[.]example[.]pt"),
        (Place.BODY, "a loja.example.pt"),
        (Place.BODY, "loja.example.pt"),
    ]

    (indicator,), omitted = extract.extract(texts, 10)

    assert 0 == omitted
    assert (
        Indicator(
            kind=Kind.DOMAIN,
            value="loja.example.pt",
            seen="loja[.]example[.]pt",
            places=(Place.BODY, Place.FORWARDED),
            registrable="example.pt",
        )
        == indicator
    )


def test_a_place_beyond_the_limit_still_counts() -> None:
    """An indicator that is within the limit learns of later places, too."""
    texts = [(Place.BODY, "example.pt"), (Place.QUOTED, "example.org example.pt")]

    (indicator,), omitted = extract.extract(texts, 1)

    assert 1 == omitted
    assert (Place.BODY, Place.QUOTED) == indicator.places


def test_hosts_of_urls_and_addresses() -> None:
    """A URL and an e-mail address carry host and registrable name; addresses have no registrable name."""
    found = _find("http://a.example.com.pt/ ana@mail.example.org http://192.0.2.1/ http://[2001:db8::1]/")

    assert [
        ("a.example.com.pt", "example.com.pt"),
        ("mail.example.org", "example.org"),
        ("192.0.2.1", ""),
        ("2001:db8::1", ""),
    ] == [(indicator.host, indicator.registrable) for indicator in found]


def test_seen_is_cut() -> None:
    """Of a long URL 2048 characters of path count, and 500 characters are kept as seen."""
    (indicator,) = _find("http://example.pt/" + "a" * 3000)

    assert "http://example.pt/" + "a" * 2048 == indicator.value
    assert 500 == len(indicator.seen)


def test_limits_of_an_address() -> None:
    """64 characters are a local part, 65 are none; the domain is one of its own then."""
    assert ["email " + "a" * 64 + "@example.pt"] == _shown(_find("a" * 64 + "@example.pt"))
    assert ["domain example.pt"] == _shown(_find("a" * 65 + "@example.pt"))


def test_long_unbroken_runs_hold_nothing() -> None:
    """The end of a label, name or number that is too long is not taken for something of its own."""
    for text in (
        "a" * 64 + ".pt",
        "a." * 127 + "pt",
        "1" * 600 + ".2.3.4",
        "a" * 600 + "-b.pt",
        "0:" * 30 + ":1",
        "f" * 600,
    ):
        assert [] == _shown(_find(text))


def _compiled(module: ModuleType) -> Iterator[re.Pattern[str]]:
    return (value for value in vars(module).values() if isinstance(value, re.Pattern))


def _repeats(parsed: Any) -> Iterator[int]:
    """Yield the upper limit of every repetition in a parsed pattern."""
    for operation, argument in parsed:
        if str(operation) in {"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"}:
            yield int(argument[1])
        for part in argument if isinstance(argument, tuple) else [argument]:
            for piece in part if isinstance(part, list) else [part]:
                if type(piece).__name__ == "SubPattern":
                    yield from _repeats(piece)


@pytest.mark.parametrize("module", [addresses, grammar, names, refang, scan, urls], ids=lambda module: module.__name__)
def test_every_pattern_is_bounded(module: ModuleType) -> None:
    """No pattern that meets a message repeats anything without limit."""
    for pattern in _compiled(module):
        parsed = re._parser.parse(pattern.pattern, pattern.flags)

        assert all(limit <= 2048 for limit in _repeats(parsed)), pattern.pattern


def _steps(text: str) -> int:
    """Count the calls of functions, ours and the interpreter's, that one extraction takes."""
    for cached in (names.canonical, names.known_tld, names.registrable, addresses.canonical):
        cached.cache_clear()
    steps = 0

    def count(_frame: Any, event: str, _argument: Any) -> None:
        nonlocal steps
        steps += event in {"call", "c_call"}

    previous = sys.getprofile()
    sys.setprofile(count)
    try:
        _find(text, 1_000_000)
    finally:
        sys.setprofile(previous)
    return steps


@pytest.mark.parametrize("unit", HOSTILE)
def test_work_grows_with_the_text_only(unit: str) -> None:
    """Four times as much of a hostile text takes about four times as many steps; quadratic would be sixteen."""
    small, large = _steps(unit * 500), _steps(unit * 2000)

    assert large <= 4.5 * small + 200
