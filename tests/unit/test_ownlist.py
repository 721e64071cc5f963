"""Mail that comes over a list of the operator's own."""

import pytest

from abuse_triage.mail.ownlist import own_list, without_list, writer
from abuse_triage.model.message import Address, Header

OWN = ("Abuse.Lists.Example.PT", "<abuse.example.pt>")
ABUSE = frozenset(["abuse@example.pt"])
ANA = Address("Ana", "ana@example.org")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["Abuse <abuse.lists.example.pt>"], "abuse.lists.example.pt"),
        (["<abuse.example.pt>"], "abuse.example.pt"),
        (["abuse.example.pt"], "abuse.example.pt"),
        (['"<x>" <ABUSE.example.pt>'], "abuse.example.pt"),
        (["<news.example.org>"], ""),
        (["<abuse.example.pt.example.org>"], ""),
        (["<abuse.example.pt>", "<news.example.org>"], ""),
        (["<abuse.example.pt>", "<abuse.example.pt>"], "abuse.example.pt"),
        ([""], ""),
        ([], ""),
    ],
)
def test_the_list_is_known_by_its_id(values: list[str], expected: str) -> None:
    """List-Id decides, in any case; where another list's stands there too, it is not only ours."""
    assert expected == own_list([Header("list-id", value) for value in values], OWN)


def test_without_lists_of_our_own_nothing_is() -> None:
    """Where no list is configured, none is looked for."""
    assert "" == own_list([Header("list-id", "<abuse.example.pt>")], ())
    assert "" == own_list([Header("list-id", "")], ("",))


def test_what_the_list_added_is_left_out() -> None:
    """List-*, Precedence: list and the list's own mark against loops go, all else stays."""
    added = [("list-id", "x"), ("list-post", "x"), ("precedence", "List"), ("x-loop", "<abuse@lists.example.pt>")]
    kept = [("precedence", "bulk"), ("x-loop", "ana@example.org"), ("auto-submitted", "auto-replied"), ("subject", "x")]
    headers = [Header(*pair) for pair in (*added, *kept)]
    assert [Header(*pair) for pair in kept] == without_list(headers, "abuse.lists.example.pt")


@pytest.mark.parametrize(
    ("sender", "fields", "expected"),
    [
        (ANA, [("x-original-from", "eve@example.net")], "ana@example.org"),
        (Address("Ana via abuse", "abuse@example.pt"), [("x-original-from", "Ana <Ana@example.org>")], ANA.email),
        (Address("Ana via abuse", "abuse@example.pt"), [("x-original-sender", "ana@example.org")], ANA.email),
        (
            Address("Ana via abuse", "abuse@example.pt"),
            [("x-original-sender", "list@example.net"), ("x-original-from", "ana@example.org")],
            ANA.email,
        ),
        (Address("Ana via abuse", "abuse@example.pt"), [("x-original-from", "nobody at all")], ""),
        (Address("Ana via abuse", "abuse@example.pt"), [("reply-to", "ana@example.org")], ""),
        (Address("Ana via abuse", "abuse@example.pt"), [("x-mailfrom", "ana@example.org")], ANA.email),
        (Address("Ana via Abuse", "abuse@lists.example.pt"), [("x-mailfrom", "ana@example.org")], ANA.email),
        (Address("", ""), [("x-original-sender", "ana@example.org")], "ana@example.org"),
    ],
)
def test_who_wrote_to_the_list(sender: Address, fields: list[tuple[str, str]], expected: str) -> None:
    """From counts unless the list put our address there; then what it kept counts, and never Reply-To."""
    assert expected == writer([Header(*pair) for pair in fields], sender, "abuse.lists.example.pt", ABUSE).email
