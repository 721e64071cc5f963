"""Who wrote a message, put together from what is proven."""

import pytest

from abuse_triage import config
from abuse_triage.indicators.names import canonical, organisation
from abuse_triage.mail.origin import Origin, Witness, origin, own_addresses
from abuse_triage.model.identity import Contact
from abuse_triage.model.message import Address, Authentication, Header
from abuse_triage.model.settings import Settings

ANA = Address("Ana", "ana@cert.example.org")
MTA = Header("authentication-results", "mx.example.pt; dmarc=pass header.from=cert.example.org")
CHECKED = Authentication(dmarc="pass")
TAGGED = "[CERT #12345] Phishing"


def settings(*, authserv_id: str = "", own_lists: tuple[str, ...] = (), kind: str = "team") -> Settings:
    """Return an example's settings that know one contact."""
    found = config.neutral()
    contact = Contact.model_validate({"name": "CERT", "kind": kind, "domains": ["cert.example.org"]})
    return found.model_copy(
        update={
            "contact": (contact,),
            "authentication": found.authentication.model_copy(update={"authserv_id": authserv_id}),
            "reply": found.reply.model_copy(update={"own_lists": own_lists}),
        }
    )


def found(
    known: Settings,
    *headers: Header,
    sender: Address = ANA,
    checked: Authentication | None = None,
    subject: str = TAGGED,
    return_path: str = "",
) -> Origin:
    """Find out who wrote a message."""
    return origin(
        (*headers, Header("from", sender.email)),
        subject,
        sender,
        known,
        return_path=return_path,
        checked=checked,
        canonical=canonical,
        organisation=organisation,
    )


@pytest.mark.parametrize(
    ("authserv_id", "headers", "checked", "witness", "aligned"),
    [
        ("mx.example.pt", (MTA,), None, Witness.MTA, True),
        ("mx.example.pt", (), CHECKED, Witness.NOBODY, False),
        ("mx.example.net", (MTA,), CHECKED, Witness.NOBODY, False),
        ("", (MTA,), None, Witness.NOBODY, False),
        ("", (), CHECKED, Witness.CHECK, True),
        ("", (MTA,), Authentication(dmarc="fail"), Witness.CHECK, False),
    ],
)
def test_by_whose_word(
    authserv_id: str,
    headers: tuple[Header, ...],
    checked: Authentication | None,
    witness: Witness,
    *,
    aligned: bool,
) -> None:
    """Our own MTA counts where it is configured, our own check only where none is, and else nobody."""
    who = found(settings(authserv_id=authserv_id), *headers, checked=checked)
    assert (witness, aligned) == (who.witness, who.proof.aligned)
    assert (ANA.email if aligned else "") == who.proven_writer


def test_a_proven_team_has_its_number() -> None:
    """The number of a contact counts where it is proven and a team."""
    who = found(settings(), checked=CHECKED)
    assert (True, "CERT #12345") == (who.team, who.number)
    assert (False, "", None) == (found(settings()).team, found(settings()).number, found(settings()).contact)
    robot = found(settings(kind="robot"), checked=CHECKED)
    assert robot.contact is not None
    assert (False, "") == (robot.team, robot.number)


def test_a_list_of_our_own_hides_nobody() -> None:
    """Who wrote is taken from what the list kept; nothing is proven about them, whatever is about the list."""
    fields = (
        Header("list-id", "<abuse.example.pt>"),
        Header("x-original-from", "Rui <rui@example.net>"),
    )
    known = settings(own_lists=("abuse.example.pt",))
    via = Address("Rui via abuse", "abuse@example.pt")
    who = found(known, *fields, sender=via, checked=CHECKED)
    assert ("rui@example.net", True, "abuse.example.pt") == (who.writer.email, who.rewritten, who.own_list)
    assert "" == who.proven_writer
    plain = found(known, *fields, checked=CHECKED)
    assert (ANA, False, ANA.email) == (plain.writer, plain.rewritten, plain.proven_writer)
    stranger = found(settings(), *fields, sender=via)
    assert (via, False, "") == (stranger.writer, stranger.rewritten, stranger.own_list)


LIST = Header("list-id", "<abuse.lists.example.pt>")
BROKEN = Authentication(spf="pass", dkim="fail", dmarc="fail")
PATH = "abuse-bounces@lists.example.pt"
SPOKEN = "mx.example.pt; spf=pass smtp.mailfrom={}; dkim=fail; dmarc=fail header.from=cert.example.org"


@pytest.mark.parametrize(
    ("fields", "proof", "return_path", "forged"),
    [
        ((LIST,), BROKEN, PATH, False),
        ((LIST,), BROKEN, "abuse-bounces@LISTS.example.pt", False),
        ((LIST,), BROKEN, "abuse+bnc7@example.pt", False),
        ((LIST,), BROKEN, "eve@evil.example.net", True),
        ((LIST,), BROKEN, "eve@x.lists.example.pt", True),
        ((LIST,), BROKEN, "eve@pt", True),
        ((LIST,), BROKEN, "", True),
        ((), BROKEN, PATH, True),
        ((Header("list-id", "<news.lists.example.pt>"),), BROKEN, PATH, True),
        ((LIST, Header("list-id", "<other.example.net>")), BROKEN, PATH, True),
        *(((LIST,), Authentication(spf=spf, dmarc="fail"), PATH, True) for spf in ("fail", "softfail", "none")),
    ],
)
def test_what_a_list_of_our_own_breaks_is_not_forged(
    fields: tuple[Header, ...], proof: Authentication, return_path: str, *, forged: bool
) -> None:
    """DMARC that fails is excused where SPF proves the host of the list; List-Id alone proves nothing."""
    who = found(settings(own_lists=("abuse.lists.example.pt",)), *fields, checked=proof, return_path=return_path)
    assert (forged, "", None) == (who.proof.forged, who.proven_writer, who.contact)
    assert "fail" == who.proof.dmarc


@pytest.mark.parametrize(
    ("results", "forged"),
    [
        ((SPOKEN.format("abuse-bounces@lists.example.pt"),), False),
        ((SPOKEN.format("lists.example.pt"),), False),
        ((SPOKEN.format("eve@evil.example.net"),), True),
        (("mx.example.pt; spf=pass; dmarc=fail",), True),
        (("mx.example.pt; spf=pass smtp.helo=lists.example.pt; dmarc=fail",), True),
        (
            ("mx.example.pt; spf=pass smtp.mailfrom=evil.example.net; dmarc=fail", SPOKEN.format("lists.example.pt")),
            True,
        ),
        (("mx.example.pt; dmarc=fail", "mx.example.pt; spf=pass smtp.mailfrom=lists.example.pt"), False),
        (("mx.example.pt; dmarc=fail", "mx.example.net; spf=pass smtp.mailfrom=lists.example.pt"), True),
    ],
)
def test_our_mta_proves_the_host_of_a_list(results: tuple[str, ...], *, forged: bool) -> None:
    """The domain counts that our MTA names: what it saw may be an earlier passage, before a list on the same host."""
    known = settings(authserv_id="mx.example.pt", own_lists=("abuse.lists.example.pt",))
    fields = (*(Header("authentication-results", value) for value in results), LIST)
    assert forged == found(known, *fields, return_path=PATH).proof.forged


def test_our_own_addresses() -> None:
    """Every mailbox is ours, and what we send from, in lower case."""
    known = settings()
    known = known.model_copy(update={"reply": known.reply.model_copy(update={"sender": "CSIRT-Reply@example.pt"})})
    assert {"abuse@example.pt", "csirt@example.pt", "csirt-reply@example.pt"} == own_addresses(known)
