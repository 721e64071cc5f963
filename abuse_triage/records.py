"""What is kept of a message besides its raw bytes: facts as JSON, and of an encrypted one nothing in anybody's words.

Of a message that was encrypted, typed values stay: indicators, enumerations, numbers, the ids of rules and the fields
that stood outside. Whoever wants the text opens the raw message again. What look-ups answered
stands with their answers, which are forgotten in time, and not here for ever.
"""

import json
from collections.abc import Mapping
from dataclasses import replace

from abuse_triage.enrichment.late import LATE_FACTS
from abuse_triage.mail.origin import Origin
from abuse_triage.model.decision import Verdict
from abuse_triage.model.openpgp import Protection
from abuse_triage.model.report import Reading
from abuse_triage.rules.facts import Facts, FactType, fact

_JSON = json.JSONEncoder(ensure_ascii=False)
_TYPED = ("auth.", "contact.", "envelope.", "from.addr", "from.domain", "indicators.", "mailbox.", "openpgp.", "scope.")
_TYPED_NAMES = frozenset({"automatic", "lang", "marking.tlp", "report.format"})


def stored(
    reading: Reading,
    *,
    summary: str,
    facts: Facts,
    origin: Origin,
    lacking: tuple[str, ...],
    protection: Protection,
) -> str:
    """Return the facts as JSON without the texts of message and answers, and what a handler needs to see besides.

    Args:
        reading: as the rules saw it: of an encrypted message that of its plaintext.
        summary: one line for a person, from outside.
        facts: that the rules decided on.
        origin: who wrote.
        lacking: codes of what the report lacks.
        protection: what OpenPGP proves; where it was encrypted, only typed values are kept.
    """
    sealed = protection.sealed
    kept: dict[str, object] = {
        "schema": reading.schema,
        "summary": summary,
        "facts": _typed(facts) if sealed else _lasting(facts),
        "format_reason": "" if sealed else reading.report.reason,
        "date": reading.date.isoformat() if reading.date else None,
        "missing": lacking,
        "markings": [
            [marking.tlp.label, "" if sealed else marking.seen, marking.place] for marking in reading.markings
        ],
        "attachments": [
            ["", "", 0, ""]  # a size would confirm a suspicion
            if sealed
            else [attachment.name, attachment.content_type, attachment.size, attachment.sha256]
            for attachment in reading.attachments
        ],
        "omitted_indicators": reading.omitted,
        "authentication": _authentication(origin),
        "defects": reading.defects,
        "limits": reading.limits,
    }
    if protection.form is not None:
        kept["openpgp"] = _openpgp(protection)
    return _JSON.encode(kept)


def kept(verdict: Verdict, *, sealed: bool) -> Verdict:
    """Return a verdict as it may be stored: of an encrypted message without the words that made rules speak."""
    if not sealed:
        return verdict
    trace = tuple(replace(entry, because=tuple((name, "") for name, _ in entry.because)) for entry in verdict.trace)
    return replace(verdict, trace=trace)


def _lasting(facts: Facts) -> Mapping[str, object]:
    """Leave out texts: those of the message stand in it, and those of registries are not kept for as long as it is."""
    return {
        name: value
        for name, value in facts.items()
        if not name.startswith("body.") and (not name.startswith(LATE_FACTS) or _is_typed(name))
    }


def _typed(facts: Facts) -> Mapping[str, object]:
    return {
        name: value
        for name, value in facts.items()
        if name.startswith(_TYPED) or name in _TYPED_NAMES or _is_typed(name)
    }


def _is_typed(name: str) -> bool:
    known = fact(name)
    return known is not None and known.type in {FactType.FLAG, FactType.NUMBER}


def _authentication(origin: Origin) -> dict[str, str | bool]:
    """Tell what is proven about the sender, and by whose word."""
    proof = origin.proof
    return {
        "by": str(origin.witness),
        "spf": proof.spf,
        "dkim": proof.dkim,
        "dmarc": proof.dmarc,
        "aligned": proof.aligned,
        "forged": proof.forged,
        "contact": origin.contact.name if origin.contact else "",
        "their_number": origin.number,
    }


def _openpgp(protection: Protection) -> dict[str, str | bool | None]:
    return {
        "words": protection.words,
        "form": str(protection.form),
        "encrypted": str(protection.encrypted),
        "reason": str(protection.reason or ""),
        "signature": str(protection.signature),
        "signer": protection.signer,
        "source": str(protection.source),
        "signed_at": protection.signed_at.isoformat() if protection.signed_at else None,
        "from_match": protection.from_match,
        "headers": str(protection.headers),
        "fresh": protection.fresh,
        "replayed": protection.replayed,
        "verified": protection.verified,
    }
