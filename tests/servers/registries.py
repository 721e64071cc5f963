"""RDAP documents in the shape of each registry, made of documentation values: what differs between them is here."""

from collections.abc import Sequence
from ipaddress import ip_network
from typing import Any

Document = dict[str, Any]


def card(
    name: str | None = "",
    *,
    kind: str = "org",
    email: str | None = "",
    telephone: object = "",
    organisation: str = "",
    more: Sequence[object] = (),
) -> list[Any]:
    """Return a jCard (RFC 7095)."""
    properties: list[Any] = [["version", {}, "text", "4.0"]]
    if name != "":
        properties.append(["fn", {}, "text", name])
    if kind:
        properties.append(["kind", {}, "text", kind])
    if organisation:
        properties.append(["org", {}, "text", organisation])
    if telephone:
        properties.append(["tel", {"type": "voice"}, "text", telephone])
    if email != "":
        properties.append(["email", {}, "text", email])
    return ["vcard", [*properties, *more]]


def entity(handle: str | None, roles: Sequence[str], vcard: object = None, *inside: Document) -> Document:
    """Return an entity (RFC 9083 section 5.1); what is None is left out."""
    document: Document = {"objectClassName": "entity", "roles": list(roles)}
    if handle is not None:
        document["handle"] = handle
    if vcard is not None:
        document["vcardArray"] = vcard
    if inside:
        document["entities"] = list(inside)
    return document


def network(cidr: str, handle: str, name: str, *entities: Document, **more: object) -> Document:
    """Return a network (RFC 9083 section 5.4)."""
    block = ip_network(cidr)
    return {
        "objectClassName": "ip network",
        "rdapConformance": ["rdap_level_0"],
        "handle": handle,
        "startAddress": str(block[0]),
        "endAddress": str(block[-1]),
        "ipVersion": f"v{block.version}",
        "name": name,
        "type": "ASSIGNED PA",
        "entities": list(entities),
        "status": ["active"],
        **more,
    }


def ripe(cidr: str = "192.0.2.0/24") -> Document:
    """Abuse role, organisation, maintainer and a person at the root; the handle is a range."""
    block = ip_network(cidr)
    return network(
        cidr,
        f"{block[0]} - {block[-1]}",
        "EXAMPLE-NET",
        entity("AR1-EXAMPLE", ["abuse"], card("Example Abuse Desk", kind="group", email="abuse@example.org")),
        entity("EX1-EXAMPLE", ["administrative"], card("Rita Example", kind="individual", telephone="+351210000000")),
        entity("EXAMPLE-MNT", ["registrant"], card("EXAMPLE-MNT", kind="individual")),
        entity("ORG-EX1-EXAMPLE", ["registrant"], card("Example Hosting Lda")),
        country="PT",
        parentHandle="192.0.0.0 - 192.255.255.255",
        port43="whois.example.org",
    )


def arin(cidr: str = "198.51.100.0/24") -> Document:
    """The abuse contact is inside of the organisation, and next to it the network centre; there is no country."""
    return network(
        cidr,
        "NET-198-51-100-0-1",
        "EXAMPLE-ARIN",
        entity(
            "EXAM-1",
            ["registrant"],
            card("Example Corporation"),
            entity("NOC1-EXAMPLE", ["technical", "noc"], card("Example NOC", kind="group", email="noc@example.com")),
            entity("ABUSE1-EXAMPLE", ["abuse"], card("Example Abuse", kind="group", email="abuse@example.com")),
        ),
        parentHandle="NET-198-0-0-0-0",
        arin_originas0_originautnums=[],
    )


def apnic(cidr: str = "203.0.113.0/24") -> Document:
    """An incident response team with the role abuse, and a person with two roles."""
    return network(
        cidr,
        "203.0.113.0 - 203.0.113.255",
        "EXAMPLE-AP",
        entity("IRT-EXAMPLE-AP", ["abuse"], card("IRT-EXAMPLE-AP", kind="group", email="irt@example.net")),
        entity("ORG-EX1-AP", ["registrant"], card("Example Networks Pty")),
        entity(
            "EP1-AP",
            ["technical", "administrative"],
            card("Kim Example", kind="individual", email="kim@example.net", telephone="+61-7-0000-0000"),
        ),
        country="AU",
        remarks=[{"title": "description", "description": ["Example Networks"]}],
    )


def lacnic(cidr: str = "192.0.2.0/24") -> Document:
    """Octets are padded with noughts, and a person has the abuse role; there is no country in the network."""
    document = network(
        cidr,
        "BR-EXAM-LACNIC",
        "",
        entity(
            "BR-EXAM-LACNIC",
            ["registrant"],
            card("Exemplo Telecomunicações Ltda"),
            entity(
                "EXA1",
                ["administrative", "technical", "abuse"],
                card("João Exemplo", kind="individual", email="joao@example.com"),
            ),
        ),
        legalRepresentative="Maria Exemplo",
    )
    del document["name"]
    for key in ("startAddress", "endAddress"):
        document[key] = ".".join(part.zfill(3) for part in document[key].split("."))
    return document


def afrinic(cidr: str = "192.0.2.0/24") -> Document:
    """No abuse role at all; addresses of mail stand with the technical contact."""
    return network(
        cidr,
        "192.0.2.0 - 192.0.2.255",
        "EXAMPLE-AF",
        entity("ORG-EX1-AFRINIC", ["registrant"], card("Example ISP")),
        entity("EX2-AFRINIC", ["technical"], card("Example Operations", kind="group", email="ops@example.org")),
        country="ZA",
    )


def domain(name: str, *, registrar: str = "Example Registrar, Inc.", **more: object) -> Document:
    """Return a name of a gTLD: a registrar with its abuse contact inside, and a registrant of whom little is told."""
    return {
        "objectClassName": "domain",
        "rdapConformance": ["rdap_level_0", "icann_rdap_response_profile_0"],
        "handle": "1234567_DOMAIN-EXAMPLE",
        "ldhName": name.upper(),
        "status": ["client transfer prohibited"],
        "events": [
            {"eventAction": "registration", "eventDate": "2019-03-04T10:11:12Z"},
            {"eventAction": "expiration", "eventDate": "2027-03-04T10:11:12.0Z"},
            {"eventAction": "last update of RDAP database", "eventDate": "2026-11-22T00:00:00Z"},
        ],
        "nameservers": [
            {"objectClassName": "nameserver", "ldhName": f"NS1.{name.upper()}"},
            {"objectClassName": "nameserver", "ldhName": "ns2.example.net"},
        ],
        "secureDNS": {
            "delegationSigned": True,
            "dsData": [{"keyTag": 12345, "algorithm": 13, "digestType": 2, "digest": "AB" * 32}],
        },
        "entities": [
            {
                **entity(
                    "9999",
                    ["registrar"],
                    card(registrar),
                    entity(
                        "not applicable",
                        ["abuse"],
                        card(None, kind="", email="abuse@registrar.example", telephone="tel:+1.5555550100"),
                    ),
                ),
                "publicIds": [{"type": "IANA Registrar ID", "identifier": "9999"}],
            },
            entity(
                "REDACTED",
                ["registrant"],
                card(None, kind="individual", organisation="Example Shop", email=None),
            ),
        ],
        "links": [
            {"rel": "related", "href": "https://rdap.registrar.example/domain/x", "type": "application/rdap+json"}
        ],
        **more,
    }
