"""What our own MTA found out about the sender: Authentication-Results (RFC 8601).

Which fields are its own cannot be seen from the fields alone: everybody may write its authserv-id. So the MTA must
delete the fields that others made in its name before it adds its own (RFC 8601 section 5); where it does, the following
is safe. Of the fields with its id only those count that one host wrote on one passage of the message: the topmost one,
and those below it up to the next Received field or the next Authentication-Results of somebody else. OpenDKIM and
OpenDMARC each write a field of their own there. Whatever lies deeper may be from an earlier passage, which tells about
another envelope, or from another customer of the same mail service, which has the same authserv-id.
"""

import re
from collections.abc import Callable, Iterator, Sequence

from abuse_triage.mail.addresses import addresses
from abuse_triage.model.message import NO_RESULT, Authentication, Header

_WORDS = {
    **{word: word for word in ("none", "pass", "fail", "softfail", "neutral", "policy", "temperror", "permerror")},
    "hardfail": "fail",  # RFC 5451 section 2.4.2
    "bestguesspass": "none",  # Microsoft's guess where there is no record
}
"""Result words that MTAs write, and what they mean (RFC 8601 section 2.7)."""
# Comments and quoted strings are one token each, so that nothing inside them counts as a separator or a result.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"?|[()]|;|[^\s"();]++|\s++|.', re.DOTALL)
_METHOD = re.compile(r"([a-z0-9-]{1,30}) ?(?:/ ?[0-9]{1,3} ?)?= ?([a-z]{1,30})(?![^ ])")
_PROPERTY = re.compile(r"(?<![^ ])((?:header|smtp)\.[a-z]{1,20}) ?= ?([^ ]{1,400})(?= [a-z0-9._-]{1,40} ?=|$)")
"""A value that another word follows is no value: somebody's local part with a blank in it."""


class _Statement:
    """One method's result, with the domains that it is about."""

    __slots__ = ("method", "properties", "result")

    def __init__(self, method: str, result: str, properties: dict[str, str]) -> None:
        self.method = method
        self.result = result
        self.properties = properties

    def domain(self, *names: str) -> str:
        """Return the domain in the first of these properties that is there, "" where none is."""
        value = next((self.properties[name] for name in names if self.properties.get(name)), "")
        return value.strip("<>").rpartition("@")[2].rstrip(".")


def results(
    headers: Sequence[Header], authserv_id: str, from_domain: str, organisation: Callable[[str], str]
) -> Authentication:
    """Return what our own MTA says of one message; never fails.

    Of several results of one method in one field "pass" wins, then the first, as of several signatures; the topmost
    field that speaks of a method counts. SPF is about the envelope sender; a result that names the HELO name only says
    whether that is aligned. "dmarc=pass" counts where it is about the domain in From.

    Args:
        headers: the message's own fields, topmost first.
        authserv_id: of our own MTA, compared without case; "" believes nothing.
        from_domain: domain in From, canonical; "" where there is none, and then nothing is aligned.
        organisation: returns the organisational domain (RFC 7489 section 3.2), "" where a text is no domain.
    """
    spoken: dict[str, list[_Statement]] = {}
    for statements in _own(headers, authserv_id.strip().lower()):
        here: dict[str, list[_Statement]] = {}
        for statement in statements:
            here.setdefault(statement.method, []).append(statement)
        spoken = here | spoken
    organisation_of_from = organisation(from_domain) if from_domain else ""

    def aligned(domain: str) -> bool:
        return bool(domain and organisation_of_from) and organisation(domain) == organisation_of_from

    spf, dkim = spoken.get("spf", []), spoken.get("dkim", [])
    unnamed = _single(headers)
    return Authentication(
        spf=_result([one for one in spf if not _of_helo(one)]),
        dkim=_result(dkim),
        dmarc=_result([_about_from(one, from_domain, unnamed=unnamed) for one in spoken.get("dmarc", [])]),
        spf_aligned=any(aligned(one.domain("smtp.mailfrom", "smtp.helo")) for one in spf if one.result == "pass"),
        dkim_aligned=any(aligned(one.domain("header.d", "header.i")) for one in dkim if one.result == "pass"),
    )


def passed_spf(headers: Sequence[Header], authserv_id: str) -> str:
    """Return the domain of the envelope sender for which our own MTA says that SPF passed, "" where it names none.

    Of several fields that speak of SPF the topmost counts, as in `results`.
    """
    for statements in _own(headers, authserv_id.strip().lower()):
        spoken = [one for one in statements if one.method == "spf" and not _of_helo(one)]
        if spoken:
            passed = (one.domain("smtp.mailfrom") for one in spoken if one.result == "pass")
            return next(passed, "")
    return ""


def speaks(headers: Sequence[Header], authserv_id: str) -> bool:
    """Tell whether there is a field of our own MTA at all."""
    return next(_own(headers, authserv_id.strip().lower()), None) is not None


def _own(headers: Sequence[Header], own: str) -> Iterator[list[_Statement]]:
    """Yield what the fields with our own id say that stand together on top."""
    begun = False
    for header in headers:
        if header.name == "authentication-results":
            identity, *statements = _split(header.value.lower())
            # A version may follow the identity (RFC 8601 section 2.2).
            if own and identity.split()[:1] == [own]:
                begun = True
                yield list(_statements(statements))
            elif begun:
                return
        elif begun and header.name == "received":
            return


def _single(headers: Sequence[Header]) -> bool:
    """Tell whether only one mailbox stands in From, so that nobody can have checked another one."""
    values = [header.value for header in headers if header.name == "from"]
    return len(values) == 1 and len(addresses(values[0])) == 1


def _of_helo(statement: _Statement) -> bool:
    return "smtp.helo" in statement.properties and not statement.domain("smtp.mailfrom")


def _about_from(statement: _Statement, from_domain: str, *, unnamed: bool) -> _Statement:
    """Take "pass" away where it is about another domain than that of From; `unnamed` believes one without a name."""
    named = statement.domain("header.from")
    if statement.result != "pass" or (named == from_domain if named else unnamed):
        return statement
    return _Statement(statement.method, NO_RESULT, {})


def _result(statements: Sequence[_Statement]) -> str:
    words = [statement.result for statement in statements]
    return "pass" if "pass" in words else next(iter(words), NO_RESULT)


def _statements(texts: Sequence[str]) -> Iterator[_Statement]:
    for text in texts:
        method = _METHOD.match(text)
        if method and method[2] in _WORDS:
            properties: dict[str, str] = {}
            for found in _PROPERTY.finditer(text, method.end()):
                properties.setdefault(found[1], found[2])
            yield _Statement(method[1], _WORDS[method[2]], properties)


def _split(value: str) -> list[str]:
    """Split at semicolons, without comments, white space collapsed; at least one item.

    Quoted strings lose their quotes, and their blanks become "_": what is quoted stays one word.
    """
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
        elif text[0] == '"':
            statements[-1].append("_".join(text.replace('"', "").split()))
        else:
            statements[-1].append(text)
    return [" ".join("".join(statement).split()) for statement in statements]
