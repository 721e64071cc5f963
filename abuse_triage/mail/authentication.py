"""What our own MTA found out about the sender: Authentication-Results (RFC 8601)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from abuse_triage.model.message import Header

NONE = "none"
"""The result of a method that was not tried, or that nobody we believe speaks of."""

_RESULTS = frozenset(
    ["none", "pass", "fail", "softfail", "neutral", "policy", "temperror", "permerror", "bestguesspass", "hardfail"]
)
# Comments and quoted strings are one token each, so that nothing inside them counts as a separator or a result.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"?|[()]|;|[^\s"();]++|\s++|.', re.DOTALL)
_METHOD = re.compile(r"([a-z0-9-]{1,30}) ?(?:/ ?[0-9]{1,3} ?)?= ?([a-z]{1,30})(?![^ ])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Authentication:
    """The result word of each method, in lower case; "none" where there is none to believe."""

    spf: str = NONE
    dkim: str = NONE
    dmarc: str = NONE


def results(headers: Sequence[Header], authserv_id: str) -> Authentication:
    """Return what the topmost field of our own MTA says; never fails.

    Only the topmost Authentication-Results with `authserv_id` (compared without case) counts: an MTA puts its own field
    on top and removes those that others made in its name (RFC 8601 section 5); all the rest are claims. Where a method
    has several results, as DKIM has with several signatures, "pass" wins, then the first. An empty `authserv_id`
    believes nothing.
    """
    own = authserv_id.strip().lower()
    for header in headers:
        if own and header.name == "authentication-results":
            identity, *statements = _statements(header.value.lower())
            # A version may follow the identity (RFC 8601 section 2.2).
            if identity.split()[:1] == [own]:
                return _read(statements)
    return Authentication()


def _read(statements: Sequence[str]) -> Authentication:
    found: dict[str, str] = {}
    for statement in statements:
        method = _METHOD.match(statement)
        if method and method[2] in _RESULTS and (method[1] not in found or method[2] == "pass"):
            found[method[1]] = method[2]
    return Authentication(
        spf=found.get("spf", NONE),
        dkim=found.get("dkim", NONE),
        dmarc=found.get("dmarc", NONE),
    )


def _statements(value: str) -> list[str]:
    """Split at semicolons, without comments, white space collapsed; at least one item."""
    statements: list[list[str]] = [[]]
    nested = 0
    for token in _TOKEN.finditer(value):
        text = token[0]
        if text == "(":
            nested += 1
        elif text == ")":
            nested = max(0, nested - 1)
        elif nested:
            continue
        elif text == ";":
            statements.append([])
        else:
            statements[-1].append(text)
    return [" ".join("".join(statement).replace('"', "").split()) for statement in statements]
