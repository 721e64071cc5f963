"""Host names: which text is one, its canonical form, and the name somebody registered.

Canonical is lower case with A-labels (RFC 5890), mapped by UTS 46, so that "crédito.pt" is "xn--crdito-cva.pt" and
never another name. The public suffix list is the snapshot that comes with publicsuffixlist; nothing is fetched.
"""

import re
import unicodedata
from functools import lru_cache

import idna
from publicsuffixlist import PublicSuffixList

_NAME = re.compile(r"(?:(?!-)[a-z0-9_-]{1,63}(?<!-)\.){1,126}(?!-)[a-z0-9-]{1,63}(?<!-)")
_LONGEST = 253  # RFC 1035 section 2.3.4: 255 octets on the wire, without the length of the first label and the root
_CACHED = 4096

# Only what registries delegate counts: a tenant of github.io is nobody whom a registry knows.
_SUFFIXES = PublicSuffixList(only_icann=True, accept_unknown=False)
# Who may speak for whom is another question: what companies delegate, such as "uk.com", separates strangers.
_DELEGATIONS = PublicSuffixList(accept_unknown=False)

FILE_SUFFIXES = frozenset(
    ("cab", "inc", "java", "map", "md", "mov", "pl", "pm", "properties", "ps", "pub", "py", "rs", "sh", "so", "zip")
)
"""Top-level domains that end file names more often than host names; such a name needs more than itself to count."""


@lru_cache(_CACHED)
def canonical(text: str) -> str:
    """Return the canonical form of a host name, "" where it is none.

    A host name has two labels or more, of letters, digits, hyphens and underscores (which service names and some hosts
    carry), 63 octets each, 253 in all. Whether its top-level domain exists is another question: `known_tld`.
    """
    name = text.lower() if text.isascii() else _to_ascii(text)
    return name if len(name) <= _LONGEST and _NAME.fullmatch(name) else ""


def _to_ascii(text: str) -> str:
    if len(text) > _LONGEST:  # A-labels are never shorter than what they stand for
        return ""
    try:
        labels = idna.uts46_remap(text, std3_rules=False, transitional=False).split(".")
        return ".".join(label if label.isascii() else idna.alabel(label).decode() for label in labels)
    except UnicodeError:  # includes idna.IDNAError
        return ""


@lru_cache(_CACHED)
def known_tld(label: str) -> bool:
    """Tell whether a label in lower case, A-label or U-label, is a top-level domain of the public suffix list."""
    return _SUFFIXES.publicsuffix(label) is not None


@lru_cache(_CACHED)
def registrable(name: str) -> str:
    """Return the name one label below the public suffix of a canonical name, "" where there is none.

    Only the list's ICANN section decides, because the question is whom a registry can ask: for "a.github.io" it is
    "github.io", for "loja.com.pt" itself, for "com.pt" nothing.
    """
    return _SUFFIXES.privatesuffix(name) or ""


@lru_cache(_CACHED)
def organisation(domain: str) -> str:
    """Return the organisational domain of a domain as people or machines write it, "" where that is no host name.

    RFC 7489 section 3.2, with both sections of the list: tenants of "uk.com" are strangers to each other. A name that
    is a suffix itself, or lies below none, is its own organisation.
    """
    name = canonical(domain.rstrip("."))
    return _DELEGATIONS.privatesuffix(name) or name if name else ""


@lru_cache(_CACHED)
def readable(name: str) -> str:
    """Return a canonical name with U-labels where that cannot mislead, else as it is.

    A label is only decoded when all its letters are Latin: mixed and foreign scripts are how names are imitated
    (UTS 39), and right-to-left text would change the order of what stands beside it.
    """
    return ".".join(_to_unicode(label) for label in name.split("."))


def _to_unicode(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    try:
        text = idna.ulabel(label)
    except UnicodeError:
        return label
    return text if all(_latin(char) for char in text) else label


def _latin(char: str) -> bool:
    return char.isascii() or unicodedata.name(char, "").startswith("LATIN ")
