"""Addresses behind which nobody sits: by what they are called, and by a list.

Two questions are told apart. An address of a robot is never answered, wherever it stands. A return path that only
takes bounces (VERP, list owners, mailing services) says nothing about who wrote: From does (RFC 3834 section 4).
"""

import re
from collections.abc import Iterator

_NAMES = frozenset((
    "mailer-daemon", "mailerdaemon", "mail-daemon", "maildaemon", "mdaemon", "daemon", "nobody", "null",
    "listserv", "majordomo", "autoreply", "auto-reply", "autoresponder", "auto-responder", "autoresposta",
))  # fmt: skip
_NEVER_READ = ("noreply", "donotreply", "dontreply", "noresponder", "naoresponder", "naoresponda", "nepasrepondre")
_MARKS = {ord(mark): None for mark in "-_."}
_SEPARATOR = re.compile(r"[-+._=/]")
_FORWARDED = re.compile(r"(?:.{1,100}\+)?srs([01]?)[=+-](.{1,250})", re.DOTALL)
"""SRS: what a forwarder makes of a return path; it takes what is sent there back to the first sender."""
_TAGGED = re.compile(r"(?:prvs=|btv1==)(?:[^=/]{1,20}==?)?([^/]{1,200})(?:/[^/]{1,20})?", re.DOTALL)
"""BATV: a person's address with a tag that proves bounces to be real; what is sent there arrives."""
_RECIPIENT = re.compile(r"[^=]=(?:[a-z0-9-]{1,63}\.){1,8}[a-z]{2,24}(?![a-z0-9.-])")
"""VERP: somebody else's address inside, with "=" for "@"."""
_NUMBERED = re.compile(r"-return-[0-9]{1,12}|\+bnc[a-z0-9_-]{8}")
"""ezmlm and Google Groups count their mails in the return path."""
_SES = re.compile(r"[0-9a-f]{16}-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}-[0-9]{6}")
"""Amazon SES, also below a domain of the customer's own."""
_HOST = re.compile(r"bounces?|bnc[0-9]{0,3}")
"""Labels of hosts that mailing services use for bounces only."""
_SERVICES = ("amazonses.com",)
_LONGEST = 320


def is_robot(address: str) -> bool:
    """Tell whether an address, in lower case, is a robot's or one that nobody reads; abuse@ or root@ may be people's.

    What a forwarder, BATV or subaddressing add is looked through.
    """
    written = _written(address) or address[:_LONGEST]
    name = (written.rpartition("@")[0] or written).partition("+")[0].partition("=")[0]
    bare = name.translate(_MARKS)
    return name in _NAMES or name.startswith("mailer-daemon") or any(word in bare for word in _NEVER_READ)


def takes_bounces(address: str) -> bool:
    """Tell whether an address, in lower case, is a return path of a list or mailing system, not of whoever wrote.

    A forwarder's rewritten return path (SRS) counts as what is inside it: the forwarder sends the answer back there.
    """
    written = _written(address)
    local, _, domain = written.rpartition("@")
    if not written:
        return address != ""
    if any(_HOST.fullmatch(label) for label in domain.split(".")[:-2]) or domain.endswith(_SERVICES):
        return True
    return _SES.fullmatch(local) is not None or _RECIPIENT.search(local) is not None or is_owner(local)


def is_owner(local: str) -> bool:
    """Tell whether a local part, in lower case, is that of a list's owner or of a handler of bounces."""
    return (
        local.startswith("owner-")
        or local.partition("+")[0].endswith(("-owner", "-request"))
        or _NUMBERED.search(local) is not None
        or any(word.rstrip("0123456789") == "bounce" or word.endswith("bounces") for word in _SEPARATOR.split(local))
    )


def is_postmaster(address: str) -> bool:
    """Tell whether an address, in lower case, is one that both people and mail systems write from."""
    return address.partition("@")[0] == "postmaster"


def is_listed(address: str, known: frozenset[str]) -> bool:
    """Tell whether an address, in lower case, or its domain or one above that is on a list of addresses and domains.

    An address on the list stands for its subaddresses too: what is behind "+" does not count.
    """
    if not known or not address:
        return False
    local, _, domain = address.rpartition("@")
    return (
        address in known
        or f"{local.partition('+')[0]}@{domain}" in known
        or any(zone in known for zone in _zones(domain))
    )


def _zones(domain: str) -> Iterator[str]:
    while domain:
        yield domain
        domain = domain.partition(".")[2]


def _written(address: str) -> str:
    """Return the address that stood there first, out of SRS and BATV; "" where SRS names none."""
    local, at, domain = address[:_LONGEST].rpartition("@")
    if forwarded := _FORWARDED.fullmatch(local):
        local, domain = _inside(forwarded[1], forwarded[2])
        if not local:
            return ""
    if tagged := _TAGGED.fullmatch(local):
        local = tagged[1]
    return f"{local}{at}{domain}"


def _inside(form: str, rest: str) -> tuple[str, str]:
    """Return local part and domain out of SRS0 "hash=time=domain=local" or SRS1 "hash=forwarder==hash=…"."""
    if form == "1":
        rest = rest.partition("=")[2].partition("=")[2].lstrip("=+-")
    pieces = rest.split("=", 3)
    return (pieces[3], pieces[2]) if len(pieces) == 4 else ("", "")
