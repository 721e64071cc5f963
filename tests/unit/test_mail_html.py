"""HTML to text and link targets."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from abuse_triage.mail import html


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("plain", "plain"),
        ("<p>Olá,</p><p>mundo</p>", "Olá,\n\nmundo"),
        ("a<br>b<br/>c", "a\nb\nc"),
        ("<div>a</div><div>b <b>bold</b>\n c</div>", "a\n\nb bold c"),
        ("<table><tr><td>IP</td><td>192.0.2.1</td></tr><tr><th>x</th></tr></table>", "IP 192.0.2.1\n\nx"),
        ("<pre>a  b\nc</pre>d", "a b\nc\n\nd"),
        ("<style>p{}</style><script>var a='<p>'</script>text<title>t</title>", "text"),
        ("<SCRIPT>x</SCRIPT >shown", "shown"),
        ("a<!-- <p>hidden</p> -->b<!--->c<!-->d", "abcd"),
        ("a<!DOCTYPE html>b<?xml?>c</ x>d", "abcd"),
        ("&lt;b&gt; &amp;amp; &eacute; &#233; &#xE9; &nbsp;x", "<b> &amp; é é é x"),
        ("1 < 2 > 1 & 3", "1 < 2 > 1 & 3"),
        ("&#" + "9" * 5000 + ";", "\ufffd" + "9" * 4992 + ";"),
        ('<a title="a > b" href=x>link</a>', "link"),
        ("<a title=it's>one</a> <a title=it's>two</a>", "one two"),
        ("kept <a href='http://192.0.2.1/", "kept"),
        ("kept <!-- never closed <p>text</p>", "kept text"),
        ("<script>never closed", ""),
        ("</pre>a\nb", "a b"),
        ("", ""),
    ],
)
def test_text(source: str, text: str) -> None:
    """Blocks break lines, entities are characters, scripts are not read, and damage loses no more than it must."""
    assert text == html.read(source).text


@pytest.mark.parametrize(
    ("source", "hrefs"),
    [
        ('<a href="https://example.pt/?a=1&amp;copy=2">x</a>', ("https://example.pt/?a=1&copy=2",)),
        ('<a href="https://example.pt/?a=1&copy=2">x</a>', ("https://example.pt/?a=1&copy=2",)),
        ("<A HREF='http://a.example.pt'>x<a href=http://b.example.pt>y", ("http://a.example.pt", "http://b.example.pt")),
        ('<a title=" href=no " href="http://c.example.pt">', ("http://c.example.pt",)),
        ('<a href="http://c.example.pt" href="http://second.example.pt">', ("http://c.example.pt",)),
        ('<a href=" http://d.example.pt/a\n b\t ">', ("http://d.example.pt/a b",)),
        ('<form action="http://e.example.pt/post"><area href="http://f.example.pt">', ("http://e.example.pt/post", "http://f.example.pt")),
        ('<a href="#top"><a href="javascript:x()"><a href="cid:1"><a href="data:x"><a href><a href="">', ()),
        ('<a href="http://g.example.pt"></a><a href="http://g.example.pt">', ("http://g.example.pt",)),
        ('<a name="x">', ()),
        ("<!-- <a href='http://hidden.example.pt'> -->", ()),
    ],
)  # fmt: skip
def test_link_targets(source: str, hrefs: tuple[str, ...]) -> None:
    """Targets of links and forms are kept once each, with entities decoded as in attributes."""
    assert hrefs == html.read(source).hrefs


def test_link_targets_are_bounded() -> None:
    """A document yields no more targets, and no longer ones, than the limits say."""
    source = "".join(f'<a href="http://{number}.example.pt/{"x" * 5000}">' for number in range(html.MOST_HREFS + 5))
    found = html.read(source).hrefs
    assert html.MOST_HREFS == len(found)
    assert html.LONGEST_HREF == len(found[0])


@pytest.mark.parametrize(
    "unit",
    [
        "<div>", "<a ", "<a x='", '<a x=" > " ', "<!--", "</", "<", "&", "&#9", "<![CDATA[", "<style>",
        "<script></scrip",        "<a =", "<x y= ", "<!>", "<p><b id=1>", "<pre>\n", "<a href=x>",
    ],
)  # fmt: skip
def test_time_grows_with_the_length_only(unit: str) -> None:
    """Two megabytes of any one nasty thing are read within seconds."""
    source = unit * (2_000_000 // len(unit))
    before = time.process_time()
    html.read(source)
    assert time.process_time() - before < 5


_FRAGMENTS = st.sampled_from(
    ["<p>", "</p>", "<b>", "</b>", "<br>", "<div class='a b'>", "</div>", "<a href='http://example.pt/x'>", "</a>",
     "one", "two ", " three", "&amp;", "&eacute;", "<!-- c -->", "<td>", "<span style=\"x:'y'\">", "\n"]
)  # fmt: skip


@given(st.lists(_FRAGMENTS, max_size=30).map("".join))
def test_the_words_are_those_of_a_full_parser(source: str) -> None:
    """On ordinary HTML, the same letters come out as from a parser that builds the whole tree."""
    body = LexborHTMLParser(f"<body>{source}</body>").body
    assert body is not None
    assert "".join(body.text().split()) == "".join(html.read(source).text.split())


@given(st.text(alphabet=st.sampled_from("<>/!-&;#x'\"= \nabp\0é"), max_size=200))
def test_anything_is_read(source: str) -> None:
    """No text makes it fail, and no target is invented."""
    document = html.read(source)
    assert all(href for href in document.hrefs)
    assert "\n\n\n" not in document.text
