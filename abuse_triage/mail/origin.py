"""Who wrote a message, as far as it is proven: what all that depends on the sender is decided with."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from abuse_triage.mail import authentication
from abuse_triage.mail.ownlist import is_host, own_list, writer
from abuse_triage.mail.peers import contact_of, their_number
from abuse_triage.model.identity import Contact
from abuse_triage.model.message import Address, Authentication, Header
from abuse_triage.model.settings import Settings


class Witness(StrEnum):
    """By whose word something is proven about the sender."""

    MTA = "our MTA"
    CHECK = "own check"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Who wrote.

    `proof` is what `witness` says of the domain in From. `writer` is the mailbox of From, or where a list of our own
    rewrote that, the one that stood there before; `rewritten` says so, and then nothing is proven about the writer.
    `own_list` is the id of that list, "" for none. `contact` is the one that is proven to have written, and `number`
    what a contact that is a team calls the matter, "" for none.
    """

    proof: Authentication
    witness: Witness
    writer: Address
    rewritten: bool = False
    own_list: str = ""
    contact: Contact | None = None
    number: str = ""

    @property
    def team(self) -> bool:
        """Whether a team that is a contact is proven to have written."""
        return self.contact is not None and self.contact.kind == "team"

    def correspondent(self, return_path: str) -> str:
        """Return the address of whoever wrote, proven or not: the return path, unless that is a list's of our own.

        Where such a list does not say who wrote, it is the return path all the same.
        """
        return self.writer.email or return_path if self.own_list and return_path else return_path

    @property
    def proven_writer(self) -> str:
        """The address of whoever wrote where its domain is proven, else ""."""
        return self.writer.email if self.proof.aligned and not self.rewritten else ""


def origin(
    headers: Sequence[Header],
    subject: str,
    sender: Address,
    settings: Settings,
    *,
    return_path: str,
    checked: Authentication | None,
    canonical: Callable[[str], str],
    organisation: Callable[[str], str],
) -> Origin:
    """Find out who wrote.

    Args:
        headers: the message's own fields, topmost first.
        subject: decoded.
        sender: mailbox of From.
        settings: whose MTA is believed, which lists are ours, who is known.
        return_path: envelope sender, bare.
        checked: what our own check found, None where nothing was checked; it counts where no MTA of ours is believed.
        canonical: returns the canonical form of a domain, "" where a text is none.
        organisation: returns the organisational domain of a domain, "" where a text is none.
    """
    trusted = settings.authentication.authserv_id
    proof, witness = checked or Authentication(), Witness.CHECK if checked else Witness.NOBODY
    if trusted:
        proof = authentication.results(headers, trusted, canonical(sender.domain), organisation)
        witness = Witness.MTA if authentication.speaks(headers, trusted) else Witness.NOBODY
    came_over = own_list(headers, settings.reply.own_lists)
    if came_over and proof.spf == "pass":
        mailed_by = authentication.passed_spf(headers, trusted) if trusted else return_path.rpartition("@")[2]
        proof = replace(proof, over_own_list=is_host(mailed_by, came_over, organisation))
    wrote = writer(headers, sender, came_over, own_addresses(settings)) if came_over else sender
    contact = contact_of(sender, settings.contact, proof)
    team = contact is not None and contact.kind == "team"
    return Origin(
        proof=proof,
        witness=witness,
        writer=wrote,
        rewritten=wrote != sender,
        own_list=came_over,
        contact=contact,
        number=their_number(subject, headers, settings.team.ticket_prefix) if team else "",
    )


def own_addresses(settings: Settings) -> frozenset[str]:
    """Return every address that our own mail may come from or go to, lower case."""
    mailboxes = (mailbox.address for mailbox in settings.mailbox)
    return frozenset(address.lower() for address in (*mailboxes, settings.reply.sender) if address)
