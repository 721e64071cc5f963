"""Mail that comes over a list of the operator's own: what the list added is told apart from what the sender wrote.

An operator whose abuse@ is a mailing list or a Google Group gets every report with the fields of a list. Where domains
forbid others to write in their name (DMARC), such lists put their own address into From and keep the first one in
X-Original-From or X-Original-Sender (Google Groups, Sympa), or the return path in X-MailFrom (Mailman 3). Answering to
that is no answer to Reply-To: Reply-To is where the sender wants answers of people to go, and may name anybody, while
this is the address that stood in From or in the envelope, copied by a host that the operator has named as its own. A
stranger can write List-Id and these fields too, and gains one thing over a made-up return path: no SPF speaks against
the address. Nothing proves it either, so it draws from the smaller budget.

A list that changes subject or text and leaves From alone breaks the author's signature, so DMARC fails for people too.
That is excused where SPF passed for the domain of the list: strangers who write List-Id cannot send from there.
"""

from collections.abc import Callable, Sequence

from abuse_triage.mail.addresses import addresses
from abuse_triage.model.message import Address, Header

_ORIGINAL = ("x-original-from", "x-original-sender", "x-mailfrom")
_LOOPS = ("x-loop", "x-beenthere")


def own_list(headers: Sequence[Header], own_lists: Sequence[str]) -> str:
    """Return the List-Id (RFC 2919) in lower case where it is one of our own lists, "" where any other stands there."""
    if not own_lists:
        return ""
    found = {_list_id(header.value) for header in headers if header.name == "list-id"}
    name = next(iter(found)) if len(found) == 1 else ""
    return name if name in {own.strip(" <>").lower() for own in own_lists} else ""


def is_host(domain: str, list_id: str, organisation: Callable[[str], str]) -> bool:
    """Tell whether the list of an id is one of this domain: "abuse.lists.example.pt" is one of lists.example.pt.

    `organisation` returns the organisational domain, "" for a public suffix, under which everybody has lists.
    """
    return bool(organisation(domain)) and list_id.endswith(f".{domain.lower()}")


def without_list(headers: Sequence[Header], list_id: str) -> list[Header]:
    """Return the fields without those that the list of this id added: List-*, "Precedence: list", its own X-Loop."""
    return [header for header in headers if not _added(header, list_id)]


def writer(headers: Sequence[Header], sender: Address, list_id: str, own_addresses: frozenset[str]) -> Address:
    """Return who wrote to our own list: From, or where the list rewrote that, the address that it kept.

    The list has put into From its own address ("abuse@lists.example.pt" for the id "abuse.lists.example.pt") or another
    one of `own_addresses`. An empty address means that the list does not say who wrote.
    """
    if sender.email and sender.email not in own_addresses and sender.email.replace("@", ".") != list_id:
        return sender
    for name in _ORIGINAL:
        for header in headers:
            if header.name == name and (found := addresses(header.value)) and found[0].email:
                return found[0]
    return Address(sender.name, "")


def _list_id(value: str) -> str:
    """Return what stands in the last angle brackets, or the whole value where there are none."""
    return value.rpartition("<")[2].partition(">")[0].strip().lower()[:255]


def _added(header: Header, list_id: str) -> bool:
    if header.name.startswith("list-"):
        return True
    if header.name in {"precedence", "x-precedence"}:
        return header.value.strip().lower() == "list"
    return header.name in _LOOPS and header.value.strip(" <>").lower().replace("@", ".") == list_id
