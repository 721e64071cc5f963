"""Bounces: which of the mails that somebody sent came back, by the delivery report or by the words of a mail server."""

import re
from collections.abc import Iterator
from itertools import islice

from abuse_triage.mail.headers import message_ids
from abuse_triage.model.message import Mail, Part, Place

MOST = 10
"""Message-IDs of returned mail that are kept."""

_STATUS = frozenset(["message/delivery-status", "message/global-delivery-status"])
_HEADERS_ONLY = frozenset(["text/rfc822-headers", "message/rfc822-headers", "message/global-headers"])
_ORIGINAL = ("original-message-id", "x-original-message-id")
"""Fields of the report that name the mail: that of receipts (RFC 8098 section 3.2.5), and what servers make of it."""
_ID_FIELD = re.compile(
    r"^[> \t]{0,8}message-id:[ \t]{0,8}(?:\n[> \t]{1,8})?(<[^<>\s]{1,1000}>)", re.IGNORECASE | re.MULTILINE
)
_MACHINES = (
    "mailer-daemon", "mailerdaemon", "mail-daemon", "maildaemon", "mdaemon", "postmaster", "microsoftexchange",
)  # fmt: skip
_LONGEST_WORDS = 5000
"""Characters before the returned mail in which a server says what became of it."""
_FAILED = (
    "mail delivery failed", "error delivering your mail", "error sending your mail",
    "permanent error", "permanent fatal error", "permanent failure", "failed permanently", "permanently failed",
    "address(es) failed", "addresses failed", "delivery failed", "delivery has failed", "failed to deliver",
    "failed to be delivered", "could not be delivered", "couldn't be delivered", "cannot be delivered",
    "can't be delivered", "was not delivered", "wasn't delivered", "were not delivered", "did not reach",
    "unable to deliver", "wasn't able to deliver", "was not able to deliver", "i've given up", "undeliverable",
    "undelivered", "user unknown", "unknown user", "no such user",
    "falha na entrega", "não foi entregue", "não foi possível entregar", "não é possível entregar",
    "não pôde ser entregue", "não entregue", "utilizador desconhecido", "destinatário desconhecido",
)  # fmt: skip
_DELAYED = (
    "message delayed", "delayed mail", "delivery delayed", "been delayed", "is delayed", "was delayed", "(delay)",
    "delay notification", "not been delivered to all", "will be retried", "still being retried", "will retry",
    "will keep trying", "will continue", "still trying", "no action is required", "do not need to resend",
    "not need to send it again", "warning message only", "could not send message for past",
    "foi adiada", "está atrasada", "atraso na entrega", "voltaremos a tentar", "continuará a tentar",
    "será tentada novamente",
)  # fmt: skip


def returned(mail: Mail) -> tuple[str, ...]:
    """Return the Message-IDs of the mails that a bounce says failed for good, bare, each once, at most `MOST`.

    A delivery report (RFC 3464) is believed by its fields: one recipient with "Action: failed" (section 2.3.3) or,
    where no action stands there, a status of class 5 (RFC 3463 section 2). Without one, what a mail server says in its
    own name in English or Portuguese counts, with the returned mail attached or copied below, as qmail, Exim and
    Exchange write it. "Delayed" is no failure. Whether it is a bounce at all, and the mails were ours, is for the
    caller to tell. Never raises; takes time in proportion to the length of the texts.
    """
    parts = tuple(_outer(mail.parts))
    blocks = [block for part in parts if part.content_type in _STATUS for block in _blocks(part.text or "")]
    if any("action" in block or "status" in block for block in blocks):
        if not any(map(_says_failed, blocks)):
            return ()
        named = (block[name] for block in blocks for name in _ORIGINAL if name in block)
        found = _ids(*_attached(parts), *named) or _ids(_copied(_own_text(parts)))
        # Exchange answers the mail that it could not deliver.
        return found or mail.in_reply_to[:MOST]
    if not _from_a_machine(mail):
        return ()
    text = _own_text(parts)
    copy = _ID_FIELD.search(text)
    before = text[: min(copy.start(), _LONGEST_WORDS) if copy else _LONGEST_WORDS]
    words = " ".join(f"{mail.subject} {before}".lower().split())
    failed = bool(mail.header("x-failed-recipients")) or any(phrase in words for phrase in _FAILED)
    if not failed or any(phrase in words for phrase in _DELAYED):
        return ()
    return _ids(*_attached(parts)) or _ids(copy[1] if copy else "")


def _outer(parts: tuple[Part, ...]) -> Iterator[Part]:
    """Yield the message's own parts: embedded messages, but nothing that is inside one."""
    inside = ""
    for part in parts:
        if inside and part.path.startswith(inside):
            continue
        yield part
        if part.headers:
            inside = f"{part.path}."


def _blocks(text: str) -> Iterator[dict[str, str]]:
    """Yield the groups of fields between empty lines (RFC 3464 section 2.1), the first value of each name."""
    block: dict[str, str] = {}
    for line in text.split("\n"):
        name, colon, value = line.partition(":")
        if not line.strip():
            if block:
                yield block
            block = {}
        elif colon and line[0] not in " \t":
            block.setdefault(name.strip().lower(), value.strip())
    if block:
        yield block


def _says_failed(block: dict[str, str]) -> bool:
    action = block.get("action", "").lower()
    # "expired" is SendGrid's own word for having tried long enough.
    return action.startswith(("fail", "expired")) if action else block.get("status", "").startswith("5.")


def _attached(parts: tuple[Part, ...]) -> Iterator[str]:
    """Yield Message-ID fields of the returned mails, whole or their headers only (RFC 3462 section 2)."""
    for part in parts:
        if part.headers:
            yield next((header.value for header in part.headers if header.name == "message-id"), "")
        elif part.content_type in _HEADERS_ONLY:
            yield _copied(part.text or "")


def _own_text(parts: tuple[Part, ...]) -> str:
    return "\n".join(part.text for part in parts if part.text and part.place is not Place.FORWARDED and not part.twin)


def _copied(text: str) -> str:
    """Return the first Message-ID field that stands in a text, "" where there is none."""
    found = _ID_FIELD.search(text)
    return found[1] if found else ""


def _ids(*values: str) -> tuple[str, ...]:
    unique = dict.fromkeys(one for value in values for one in islice(message_ids(value), 1))
    return tuple(islice(unique, MOST))


def _from_a_machine(mail: Mail) -> bool:
    return (
        any((sender.email or sender.name.lower()).startswith(_MACHINES) for sender in mail.senders)
        or bool(mail.header("x-failed-recipients"))
        or mail.header("return-path") == "<>"
    )
