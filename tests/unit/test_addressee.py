"""To whom an acknowledgement goes, and whether that is proven."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abuse_triage.indicators.names import organisation
from abuse_triage.mail.addressee import Addressee, addressee
from abuse_triage.mail.compose import written_address
from abuse_triage.model.message import Address, Authentication

ANA = Address("Ana", "ana@example.pt")
VERP = "bounces+1-rui=example.org@em1.example.net"
NOTHING = Authentication()
ALIGNED = Authentication(dkim="pass", dkim_aligned=True)
DMARC = Authentication(dmarc="pass")


def asked(
    return_path: str = "ana@example.pt",
    sender: Address = ANA,
    proof: Authentication = NOTHING,
    *,
    over_own_list: bool = False,
    rewritten: bool = False,
) -> Addressee:
    """Ask about one message."""
    return addressee(return_path, sender, proof, organisation, over_own_list=over_own_list, rewritten=rewritten)


@pytest.mark.parametrize(
    ("return_path", "proof", "proven"),
    [
        ("ana@example.pt", NOTHING, False),
        ("ana@example.pt", Authentication(spf="pass"), True),
        ("ana@example.org", Authentication(spf="pass"), True),
        ("ana@example.pt", ALIGNED, True),
        ("ana@mail.example.pt", DMARC, True),
        ("ana@example.org", ALIGNED, False),
        ("ana@example.pt", Authentication(dkim="pass"), False),
        ("ana@example.pt", Authentication(spf="softfail"), False),
        ("ana@example.pt", Authentication(spf="temperror", dmarc="temperror"), False),
        ("ana@example.pt", Authentication(spf="neutral", dkim="fail"), False),
        ("prvs=1234abcdef=ana@example.pt", NOTHING, False),
        ("SRS0=ab=cd=example.pt=ana@example.org", Authentication(spf="pass"), True),
    ],
)
def test_the_return_path_is_answered(return_path: str, proof: Authentication, proven: bool) -> None:
    """A person's return path gets the answer, as it is; doubt only decides about the budget."""
    found = asked(return_path, proof=proof)
    assert (return_path, "to the envelope sender", proven) == (found.address, found.reason, found.proven)


@pytest.mark.parametrize(
    "proof",
    [
        Authentication(spf="fail"),
        Authentication(dmarc="fail"),
        Authentication(spf="fail", dkim="pass"),
        Authentication(spf="pass", dmarc="fail"),
    ],
)
@pytest.mark.parametrize("over_own_list", [False, True])
def test_a_forged_sender_is_not_answered(proof: Authentication, *, over_own_list: bool) -> None:
    """Where the domain's owner disowns the mail, its return path belongs to a victim."""
    found = asked(proof=proof, over_own_list=over_own_list)
    assert ("", False) == (found.address, found.proven)
    assert "may be forged" in found.reason


def test_an_aligned_signature_saves_a_forwarded_mail() -> None:
    """SPF fails behind every forwarder; the signature of From's domain holds all the same."""
    found = asked(proof=Authentication(spf="fail", dkim="pass", dkim_aligned=True))
    assert ("ana@example.pt", True) == (found.address, found.proven)


@pytest.mark.parametrize("proof", [ALIGNED, DMARC, Authentication(spf="pass", spf_aligned=True)])
def test_a_return_path_for_bounces_leaves_it_to_from(proof: Authentication) -> None:
    """A mailing service's return path reaches nobody: a proven From is answered instead (RFC 3834 section 4)."""
    found = asked(VERP, proof=proof)
    assert (ANA.email, True) == (found.address, found.proven)
    assert "to From" in found.reason


@pytest.mark.parametrize("proof", [NOTHING, Authentication(spf="pass"), Authentication(dkim="pass")])
def test_a_from_that_nothing_proves_is_not_answered(proof: Authentication) -> None:
    """Anybody may write anybody into From; that a mailing service's own domain passed proves nothing about it."""
    found = asked(VERP, proof=proof)
    assert "" == found.address
    assert "only takes bounces" in found.reason


@pytest.mark.parametrize("local", ["noreply", "no-reply", "mailer-daemon"])
def test_a_from_that_nobody_reads_is_not_answered(local: str) -> None:
    """Not even where it is proven."""
    found = asked(VERP, Address("", f"{local}@example.pt"), DMARC)
    assert ("", "nobody reads the address") == (found.address, found.reason)


def test_the_null_sender_has_no_address() -> None:
    """Nothing is guessed where the return path is empty, even where From is proven."""
    assert ("", "the envelope sender is empty") == (asked("", proof=DMARC).address, asked("", proof=DMARC).reason)


@pytest.mark.parametrize(
    "return_path", ["ana@", "ana", "joa\u0303o@example.pt", "ana@exa mple.pt", "x" * 250 + "@example.pt"]
)
def test_an_address_that_cannot_be_written_is_not_answered(return_path: str) -> None:
    """What no header can hold is refused with that reason."""
    assert "the address is none that a header can hold" == asked(return_path).reason
    assert "" == asked(return_path).address


@pytest.mark.parametrize("return_path", ["joão@example.pt", "ana@café.example"])
def test_an_address_with_letters_of_all_languages_is_answered(return_path: str) -> None:
    """RFC 6531 is no obstacle: whether the mail can leave, the smarthost says."""
    assert return_path == asked(return_path).address


def test_over_a_list_of_our_own_the_writer_is_answered() -> None:
    """The list's return path is nobody's; From is proven by what still holds, a rewritten one by nothing."""
    list_path = "abuse+bncbcsbnlw7ryhrb4jx2@example.org"
    assert (ANA.email, False) == _pair(asked(list_path, proof=Authentication(spf="pass"), over_own_list=True))
    assert (ANA.email, True) == _pair(asked(list_path, proof=ALIGNED, over_own_list=True))
    assert (ANA.email, False) == _pair(asked(list_path, proof=DMARC, over_own_list=True, rewritten=True))
    nobody = asked(list_path, Address("Ana", ""), over_own_list=True, rewritten=True)
    assert ("", False) == _pair(nobody)
    assert "does not say who wrote" in nobody.reason


def _pair(found: Addressee) -> tuple[str, bool]:
    return found.address, found.proven


_WORDS = st.sampled_from(["none", "pass", "fail", "softfail", "neutral", "temperror", "permerror"])
_PROOFS = st.builds(
    Authentication, spf=_WORDS, dkim=_WORDS, dmarc=_WORDS, spf_aligned=st.booleans(), dkim_aligned=st.booleans()
)


@given(st.text(max_size=60), st.text(max_size=60), _PROOFS, st.booleans(), st.booleans())
def test_only_addresses_that_were_given_are_answered(
    return_path: str, sender: str, proof: Authentication, over_own_list: bool, rewritten: bool
) -> None:
    """Whatever comes in, the answer goes to the return path, to From, or nowhere; never to what is forged."""
    found = asked(return_path, Address("", sender), proof, over_own_list=over_own_list, rewritten=rewritten)
    assert found.address in {"", return_path, sender}
    assert not found.address or (written_address(found.address) and not proof.forged)
    assert found.reason.isascii()
    assert found.address or not found.proven


def test_an_odd_address_that_is_in_from_too_is_a_persons() -> None:
    """Return paths that only take bounces are never what stands in From."""
    found = asked("ann.bounce@example.pt", Address("Ann Bounce", "ann.bounce@example.pt"), NOTHING)
    assert "ann.bounce@example.pt" == found.address
