"""Defanging is undone, nothing else is, and everything keeps its place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abuse_triage.indicators.refang import SEEN_LIMIT, defang, defang_text, refang

LABEL = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True)
NAME = st.builds(".".join, st.lists(LABEL, min_size=2, max_size=5))
IPV4 = st.ip_addresses(v=4).map(str)
IPV6 = st.ip_addresses(v=6).map(lambda address: address.compressed)
PATH = st.from_regex(r"([/?#][A-Za-z0-9._~%&=+,;:@!$*/?-]{0,30})?", fullmatch=True)
PORT = st.sampled_from(["", ":80", ":8443"])
SCHEME = st.sampled_from(["http", "https", "ftp", "ssh"])
HOST = NAME | IPV4 | IPV6.map("[{}]".format)
USER = st.sampled_from(["", "ana@", "ana:segredo@", "www.example.com@"])
URL = st.builds("{}://{}{}{}{}".format, SCHEME, USER, HOST, PORT, PATH)
EMAIL = st.builds("{}@{}".format, st.from_regex(r"[a-z0-9]([a-z0-9._+-]{0,20}[a-z0-9])?", fullmatch=True), NAME)
PIECES = st.sampled_from(
    [
        *(
            "hxxp",
            "http",
            "[s]",
            "(s)",
            "://",
            "[:]",
            "[",
            "]",
            "(",
            ")",
            ".",
            "[.]",
            "(dot)",
            " ",
            "  ",
            "@",
            "[at]",
            "x",
        ),
        *("pt", "\\/", "ponto", "é", "\u200b", "\u200d", "\u3002", "*", "\n", "हि"),
    ]
)


@given(NAME | IPV4 | IPV6 | URL | EMAIL)
def test_defanging_is_undone(value: str) -> None:
    """What `defang` writes, `refang` reads."""
    assert value == refang(defang(value)).text


@given(NAME | IPV4 | URL.filter(lambda url: url.startswith("http")) | EMAIL)
def test_defanged_makes_no_link(value: str) -> None:
    """A defanged value has no scheme and no bare "@" that a mail program would take for one."""
    defanged = defang(value)

    assert not defanged.startswith("http")
    assert "@" not in defanged.partition("://")[0].replace("[@]", "")
    assert value != defanged


@given(st.lists(PIECES, max_size=30).map("".join))
def test_everything_keeps_its_place(text: str) -> None:
    """Between two replacements stands exactly what stood between the replaced, and `seen` finds both."""
    refanged = refang(text)
    done = here = 0
    rebuilt = []
    for start, end, (before, behind) in zip(refanged.starts, refanged.ends, refanged.origins, strict=True):
        assert text[done:before] == refanged.text[here:start]
        assert start == end or text[before:behind] == refanged.seen(start, end)
        rebuilt += [text[done:before], text[before:behind]]
        done, here = behind, end
    assert text[done:] == refanged.text[here:]
    assert text == "".join(rebuilt) + text[done:]


@given(st.text(alphabet=st.characters(blacklist_characters="[({<\\xX*\u00ad\u3002\uff0e\uff61", max_codepoint=0x1FFF)))
def test_plain_text_stays(text: str) -> None:
    """Text without any sign of defanging is the same afterwards."""
    refanged = refang(text)

    assert text == refanged.text
    assert () == refanged.starts


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hxxps://loja[.]example[.]pt/a", "https://loja.example.pt/a"),
        ("fxps://a", "ftps://a"),
        ("xhxxp://a", "xhxxp://a"),
        ("hxxp is a scheme", "hxxp is a scheme"),
        ("http(s)://a", "https://a"),
        ("a[s]://b", "a[s]://b"),
        ("a [.] b", "a.b"),
        ("a  [.]  b", "a.b"),
        ("a   [.]   b", "a   [.]   b"),
        ("a [.]b", "a [.]b"),
        ("[.]a", "[.]a"),
        ("a[.]", "a[.]"),
        ("x[[.]]y", "x[[.]]y"),
        ("x[.y e x.]y", "x.y e x.y"),
        ("x [.y", "x [.y"),
        ("a[:]b[/]c[//]d", "a:b/c//d"),
        ("[[:]]", "[[:]]"),
        ("\\/", "/"),
        ("a\u200bb\u200dc\ufeff", "abc"),
        ("\u0939\u200d\u093f", "\u0939\u200d\u093f"),
        ("a\u3002b\uff0ec\uff61d \u3002", "a.b.c.d \u3002"),
        ("ana [at] example (ponto) pt", "ana@example.pt"),
    ],
)
def test_forms(text: str, expected: str) -> None:
    """Each form is undone where its neighbours say that it is meant."""
    assert expected == refang(text).text


def test_seen_is_limited() -> None:
    """At most `SEEN_LIMIT` characters of the original are kept, defanged or not."""
    long = "a" * (2 * SEEN_LIMIT)

    assert long[:SEEN_LIMIT] == refang(long).seen(0, len(long))
    assert ("x[.]" + long)[:SEEN_LIMIT] == refang("x[.]" + long).seen(0, len(long))


def test_seen_of_the_inside_of_a_replacement() -> None:
    """A place inside of something replaced stands for all of it."""
    refanged = refang("a hxxps://b")

    assert "a https://b" == refanged.text
    assert "hxxps://b" == refanged.seen(2, 11)
    assert "hxxps" == refanged.seen(3, 5)


def test_changed() -> None:
    """A part counts as defanged where something in it was written differently, not where nothing was to be seen."""
    refanged = refang("a\u200bb.pt c[.]pt d.pt")

    assert "ab.pt c.pt d.pt" == refanged.text
    assert not refanged.changed(0, 5)
    assert refanged.changed(6, 10)
    assert not refanged.changed(11, 15)
    assert not refang("a.pt").changed(0, 4)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("See http://a.example.pt/x.php", "See hxxp://a[.]example[.]pt/x[.]php"),
        ("HTTPS://A.PT ftp://b.pt", "hxxpS[:]//A[.]PT ftp[:]//b[.]pt"),
        ("ana@example.pt e @ casa.", "ana[@]example[.]pt e @ casa."),
        ("a\nb\x1b[31m\u202ec", "a b [31m c"),
    ],
)
def test_defang_text(text: str, expected: str) -> None:
    """A stranger's text becomes one line of printable characters in which nothing is a link."""
    assert expected == defang_text(text)
