"""A Web Key Directory: where mail programs look for the key of an address (draft-koch-openpgp-webkey-service-19)."""

import hashlib
from collections.abc import Iterable
from urllib.parse import quote

_ALPHABET = "ybndrfg8ejkmcpqxot1uwisza345h769"
"""z-base-32 (RFC 6189 section 5.1.6)."""


def name(address: str) -> str:
    """Return the 32 characters under which the key of an address is found: z-base-32 of SHA-1 of the local part."""
    local, _ = _split(address)
    digest = int.from_bytes(hashlib.sha1(local.encode(), usedforsecurity=False).digest(), "big")
    return "".join(_ALPHABET[digest >> shift & 31] for shift in range(155, -1, -5))


def places(address: str) -> tuple[tuple[str, str], tuple[str, str]]:
    """Return where the key of an address is looked for: host and path of the methods "advanced" and "direct".

    The second counts only where the host of the first does not exist (section 3.1). The local part goes along as it is
    written, for servers that tell letters apart.
    """
    _, domain = _split(address)
    query = f"hu/{name(address)}?l={quote(address.rpartition('@')[0], safe='')}"
    folder = "/.well-known/openpgpkey"
    return (f"openpgpkey.{domain}", f"{folder}/{domain}/{query}"), (domain, f"{folder}/{query}")


def tree(certificates: Iterable[tuple[str, bytes]]) -> dict[str, bytes]:
    """Lay out certificates for a web server: paths with `/` between, relative to the folder of `/.well-known`.

    Args:
        certificates: address and the certificate for it, in binary form, whose user ids are of this address only.

    Returns:
        Files of both methods (section 3.1): "advanced", for the host openpgpkey.DOMAIN, and "direct", for DOMAIN
        itself; with several domains "direct" would mix them, and only "advanced" is there.
    """
    entries = list(certificates)
    domains = {_split(address)[1] for address, _ in entries}
    files = {}
    for address, certificate in entries:
        domain = _split(address)[1]
        for folder in (domain, *([""] if len(domains) == 1 else [])):
            root = "/".join(part for part in (".well-known/openpgpkey", folder) if part)
            files[f"{root}/policy"] = b""
            files[f"{root}/hu/{name(address)}"] = certificate
    return files


def _split(address: str) -> tuple[str, str]:
    """Split an address in lower case; only ASCII letters are changed (section 3.1)."""
    local, _, domain = address.lower().rpartition("@")
    return local, domain
