"""What OpenPGP proves about one message, and what to do where it proves less than it could, printed by `triage`."""

import dataclasses

from abuse_triage.cli.output import fields, show
from abuse_triage.model.openpgp import ADVICE, Form, Protection, Source, signature_advice
from abuse_triage.model.report import Reading
from abuse_triage.service.tryout import Tried

_HOW = {
    Source.PINNED: "you vouch for it",
    Source.RING: "you vouch for it, for other addresses",
    Source.ATTACHED: "it came with a report, and nobody vouches for it",
    Source.WKD: "its domain publishes it, and nobody else vouches for it",
    Source.NONE: "",
}


def show_protection(tried: Tried, outside: Reading, inside: Reading) -> None:
    """Print the section "OpenPGP"; nothing of a message without it.

    `outside` is the reading of the message as it came, `inside` that of its plaintext, or the same.
    """
    if not outside.layers:
        return
    found = tried.opened.protection
    show()
    show("OpenPGP")
    fields(
        [
            ("so", found.words or f"not looked at: {tried.problem}"),
            ("form", _form(outside)),
            ("signer", f"{found.signer}: {_HOW[found.source]}".removesuffix(": ") if found.signer else ""),
            ("signed at", found.signed_at.isoformat(" ", "minutes") if found.signed_at else ""),
            ("to do", advice(found)),
            ("headers", f"those inside and outside: {found.headers}"),
            ("outside", f"subject {outside.subject}" if outside.subject != inside.subject else ""),
            ("keys", ", ".join(f"{one.fingerprint} ({one.names[0]}), attached" for one in tried.opened.offered)),
            ("before", _before(tried)),
            ("rules saw", "the plaintext, which is shown here and stored nowhere" if tried.opened.reading else ""),
        ],
        indent=2,
    )


def protection_document(tried: Tried, outside: Reading) -> dict[str, object] | None:
    """Give what --json says of OpenPGP, None of a message without it."""
    if not outside.layers:
        return None
    found = tried.opened.protection
    values = {field.name: getattr(found, field.name) for field in dataclasses.fields(found)}
    return values | {
        "form": outside.layers[0].form,
        "words": found.words,
        "verified": found.verified,
        "advice": advice(found),
        "attached": [one.fingerprint for one in tried.opened.offered],
        "seen_before": tried.seen_before,
        "problem": tried.problem,
    }


def advice(found: Protection) -> str:
    """Say what to do about a message that could not be opened, or whose signature does not count; "" for nothing."""
    if found.reason:
        return ADVICE[found.reason]
    return signature_advice(found.signature, found.source, found.signer)


def _form(outside: Reading) -> str:
    root, *deeper = outside.layers
    more = f", and {len(deeper)} more inside of it" if deeper and root.form is not Form.DEEPER else ""
    repaired = f", repaired: {root.repaired}" if root.repaired else ""
    return f"{root.form}{more}{repaired}"


def _before(tried: Tried) -> str:
    if not tried.seen_before:
        return ""
    return "the store has a message with the same one: this, or else it is replayed, and does not count as verified"
