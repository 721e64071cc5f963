"""SPF (RFC 7208): whether the client's address may send mail in the name of the envelope's domain.

pyspf evaluates the policy. Everything that it wants to know goes through our own questions, which keep the limits.
"""

import warnings
from typing import Any

from abuse_triage.lookups.resolver import Kind, Questions, UnansweredError

with warnings.catch_warnings(action="ignore"):  # its escapes are older than Python's complaint about them
    import spf

LONGEST_TERM = 512
"""Characters of one mechanism; pyspf takes time by the square of it, and no name is so long."""
WORDS = frozenset(["pass", "fail", "softfail", "neutral", "none", "temperror", "permerror"])
"""The results (RFC 7208 section 2.6)."""


def check(questions: Questions, *, address: str, helo: str, local_part: str, domain: str) -> str:
    """Return the result word for an identity: the domain of MAIL FROM, or of HELO for the null sender (section 2.4).

    `address` is an IPv4 or IPv6 address; `domain` is a canonical host name. The limits are those of section 4.6.4: ten
    terms that ask DNS, two of them in vain. The explanation (section 6.2) is never asked for. Never fails.
    """
    try:
        result = str(_Query(questions, address, helo, local_part, domain).check()[0])
    except Exception:  # noqa: BLE001 -- whatever a hostile policy brings about
        return "permerror"
    return result if result in WORDS else "permerror"


class _Query(spf.query):  # type: ignore[misc]  # pyspf has no types
    """pyspf's evaluation with our DNS."""

    def __init__(self, questions: Questions, address: str, helo: str, local_part: str, domain: str) -> None:
        """Hand over what macros may want to know (section 7.2)."""
        super().__init__(i=address, s=f"{local_part}@{domain}", h=helo)
        self.l = local_part or "postmaster"
        self.o = self.d = domain  # pyspf cuts at the first "@", which a quoted local part may have
        self._questions = questions

    def dns(self, name: str, qtype: str, cnames: Any = None, ignore_void: bool = False) -> list[Any]:  # noqa: ARG002 -- pyspf's
        """Return the records of a name as pyspf wants them; raises its errors."""
        try:
            records = self._questions.ask(str(name), Kind(qtype))
        except UnansweredError as error:
            raise spf.TempError(str(error)) from None
        if not records and not ignore_void:
            self.void_lookups += 1
            if self.void_lookups > spf.MAX_VOID_LOOKUPS:
                raise spf.PermError("too many lookups in vain")
        return [(record,) for record in records] if qtype == "TXT" else list(records)

    def dns_spf(self, domain: str) -> Any:
        """Return the policy of a domain, None where it has none."""
        policy = super().dns_spf(domain)
        if policy is not None and max(map(len, policy.split(" "))) > LONGEST_TERM:
            raise spf.PermError("a term is too long")
        return policy

    def get_explanation(self, spec: str) -> None:
        """Ask for no explanation: nobody would read it."""
