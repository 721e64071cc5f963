"""To whom an acknowledgement goes, and whether that is proven.

RFC 3834 section 4 names the return path, and lets a service answer to From where it says so. We do where the return
path only takes bounces (VERP, list owners, mailing services) and From is proven. Reply-To and Sender are never used:
anybody may write anybody's address there, and nothing authenticates it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from abuse_triage.mail.compose import written_address
from abuse_triage.mail.robots import is_robot, takes_bounces
from abuse_triage.model.message import Address, Authentication


@dataclass(frozen=True, slots=True, kw_only=True)
class Addressee:
    """Where an acknowledgement goes.

    `address` is bare and can be written in a mail; "" where nobody may be answered. `reason` is one line for a person,
    without anything that the sender wrote: why there, or why nowhere. `proven` says that authentication proves the
    address's domain: SPF passed for the envelope sender, or the domain of From is proven and is that of the address,
    or of the same organisation.
    """

    address: str
    reason: str
    proven: bool = False


def addressee(
    return_path: str,
    sender: Address,
    proof: Authentication,
    organisation: Callable[[str], str],
    *,
    over_own_list: bool = False,
    rewritten: bool = False,
    signed: bool = False,
) -> Addressee:
    """Decide to whom one message is answered; whether it may be answered at all, `automatic.refusal` says.

    Args:
        return_path: envelope sender, bare, "" for the null reverse-path.
        sender: mailbox of From; over a list of our own, whoever wrote to it (`ownlist.writer`).
        proof: what is proven about the sender.
        organisation: returns the organisational domain of a domain, "" where it is none.
        over_own_list: it came over a list of our own, whose return path is not the sender's.
        rewritten: that list has put its own address into From, so that nothing is proven about `sender`.
        signed: OpenPGP proves that `sender` wrote it.
    """
    aligned = (proof.aligned or signed) and not rewritten
    if proof.forged:
        return _nobody("SPF or DMARC failed, and no signature of the domain in From holds: the sender may be forged")
    if not return_path:
        return _nobody("the envelope sender is empty")
    if over_own_list:
        return _over_own_list(sender, proven=aligned)
    # Whoever is in From too wrote from there, whatever it is called.
    if not takes_bounces(return_path.lower()) or return_path.lower() == sender.email:
        theirs = organisation(return_path.rpartition("@")[2])
        same = aligned and theirs != "" and theirs == organisation(sender.domain)
        return _to(return_path, "to the envelope sender", proven=proof.spf == "pass" or same)
    if not aligned:
        return _nobody("the envelope sender only takes bounces, and nothing proves the address in From")
    return _to(sender.email, "to From, which is proven: the envelope sender only takes bounces", proven=True)


def _over_own_list(writer: Address, *, proven: bool) -> Addressee:
    if not writer.email:
        return _nobody("it came over our own list, which does not say who wrote")
    return _to(writer.email, "to whoever wrote to our own list: the return path is the list's", proven=proven)


def _to(address: str, reason: str, *, proven: bool) -> Addressee:
    if not written_address(address):
        return _nobody("the address is none that a header can hold")
    if is_robot(address.lower()):
        return _nobody("nobody reads the address")
    return Addressee(address=address, reason=reason, proven=proven)


def _nobody(reason: str) -> Addressee:
    return Addressee(address="", reason=reason)
