"""SPF, DKIM and DMARC of one message put together: what is proven about who wrote."""

from dataclasses import dataclass

from abuse_triage.lookups import dkim, dmarc, spf
from abuse_triage.lookups.dkim import Content, Signature
from abuse_triage.lookups.dmarc import Author
from abuse_triage.lookups.resolver import Questions, UnansweredError
from abuse_triage.model.message import NO_RESULT, Authentication

_WORTH = ("pass", "temperror", "fail", "policy", "permerror", "neutral")
"""Of several signatures the result that comes first here is the message's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Who delivered a message directly to us: the identity that SPF is asked for (RFC 7208 section 2).

    `domain` is a canonical name, that of MAIL FROM or, for the null sender, of HELO; "" where that is none.
    """

    address: str
    helo: str
    local_part: str
    domain: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """What is to be proven; `has_from` says that there is a field From, whether or not it names one author.

    `client` is None where nobody delivered it directly; `content` is None where signatures cannot be checked.
    """

    author: Author
    has_from: bool
    client: Client | None
    content: Content | None


def check(letter: Letter, questions: Questions) -> tuple[Authentication, tuple[str, ...]]:
    """Return what is proven, and notes on what is not, which may name domains. Never fails.

    The author's own domain is asked first, so that no other one can use up the time.
    """
    policy: dmarc.Policy | None = None
    unknown = False
    try:
        policy = dmarc.policy(letter.author, questions) if letter.author.domain else None
    except UnansweredError:
        unknown = True
    signatures: list[Signature] = []
    if letter.content is not None:
        signatures = list(dkim.check(letter.content, questions, own=letter.author.owns))
    client = letter.client
    evidence = dmarc.Evidence(
        author=letter.author,
        spf=_spf(client, questions),
        spf_domain=client.domain if client else "",
        signatures=signatures,
        complete=client is not None and letter.content is not None,
    )
    if unknown:
        verdict = "temperror"
    elif policy is not None:
        verdict = dmarc.result(evidence, policy)
    else:
        verdict = "permerror" if letter.has_from and not letter.author.domain else NO_RESULT
    return (
        Authentication(
            spf=evidence.spf,
            dkim=min((signature.result for signature in signatures), key=_WORTH.index, default=NO_RESULT),
            dmarc=verdict,
            spf_aligned=evidence.spf_aligned(),
            dkim_aligned=evidence.dkim_aligned(),
        ),
        tuple(f"{signature.domain}: {signature.why}" for signature in signatures if signature.why),
    )


def _spf(client: Client | None, questions: Questions) -> str:
    if client is None or not client.domain:
        return NO_RESULT
    return spf.check(
        questions, address=client.address, helo=client.helo, local_part=client.local_part, domain=client.domain
    )
