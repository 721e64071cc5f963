"""DMARC (RFC 7489): whether what passed belongs to the organisation of the author in From.

authheaders would do this too, but it cuts domains at a hyphen, tries one signature only, and reads the public suffix
list anew for every name.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from abuse_triage.lookups.dkim import Signature
from abuse_triage.lookups.resolver import Questions

_VERSION = b"v=DMARC1"
_POLICIES = frozenset(["none", "quarantine", "reject"])


@dataclass(frozen=True, slots=True)
class Author:
    """Whom a message says that it is from: the domain in From, canonical, "" where there is not exactly one author.

    `organisation` returns the organisational domain of a name (section 3.2).
    """

    domain: str
    organisation: Callable[[str], str]

    def owns(self, domain: str, *, strict: bool = False) -> bool:
        """Tell whether a canonical name is in alignment with the author's (section 3.1)."""
        if not self.domain or not domain:
            return False
        if strict:
            return self.domain == domain
        return self.organisation(self.domain) == self.organisation(domain)


@dataclass(frozen=True, slots=True)
class Policy:
    """What a domain's owner says about alignment (section 6.3): whether the names must be equal."""

    strict_spf: bool
    strict_dkim: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What was found out about one message: author, result and domain of SPF, signatures, and whether all was tried.

    `complete` is False where a method could not be tried at all, so that nothing follows from its silence.
    """

    author: Author
    spf: str
    spf_domain: str
    signatures: Sequence[Signature]
    complete: bool

    def spf_aligned(self, *, strict: bool = False, result: str = "pass") -> bool:
        """Tell whether SPF has that result for a domain of the author's (section 3.1.2)."""
        return self.spf == result and self.author.owns(self.spf_domain, strict=strict)

    def dkim_aligned(self, *, strict: bool = False, result: str = "pass") -> bool:
        """Tell whether a signature of a domain of the author's has that result (section 3.1.1)."""
        return any(
            signature.result == result and self.author.owns(signature.domain, strict=strict)
            for signature in self.signatures
        )


def policy(author: Author, questions: Questions) -> Policy | None:
    """Return the policy for an author's domain, or else its organisation's, None where there is none (section 6.6.3).

    Two records are none. Raises `UnansweredError`.
    """
    for domain in dict.fromkeys((author.domain, author.organisation(author.domain))):
        records = [record for record in questions.texts(f"_dmarc.{domain}") if _is_policy(record)]
        if records:
            return _parsed(records[0]) if len(records) == 1 else None
    return None


def result(evidence: Evidence, policy: Policy) -> str:
    """Return the result word (section 11.2): "pass", "fail", "temperror", or "none" where that cannot be told.

    A policy of "none" does not change it: it says what to do about a failure, not whether there is one.
    """
    if evidence.spf_aligned(strict=policy.strict_spf) or evidence.dkim_aligned(strict=policy.strict_dkim):
        return "pass"
    if evidence.spf_aligned(strict=policy.strict_spf, result="temperror") or evidence.dkim_aligned(
        strict=policy.strict_dkim, result="temperror"
    ):
        return "temperror"
    return "fail" if evidence.complete else "none"


def _is_policy(record: bytes) -> bool:
    return record.startswith(_VERSION) and record[len(_VERSION) :].lstrip(b" \t")[:1] in {b"", b";"}


def _parsed(record: bytes) -> Policy | None:
    tags: dict[str, str] = {}
    for part in record.decode("ascii", "replace").split(";"):
        name, _, value = part.partition("=")
        tags.setdefault(name.strip().lower(), value.strip().lower())
    if tags.get("p") not in _POLICIES and "rua" not in tags:  # section 6.6.3, step 6
        return None
    return Policy(strict_spf=tags.get("aspf") == "s", strict_dkim=tags.get("adkim") == "s")
