"""Texts of a message → the indicators in them, each once."""

from collections.abc import Sequence

from abuse_triage.indicators.refang import refang
from abuse_triage.indicators.scan import Hit, scan
from abuse_triage.model.message import Place
from abuse_triage.model.report import Indicator, Kind

_ORDER = {place: rank for rank, place in enumerate(Place)}


def extract(texts: Sequence[tuple[Place, str]], limit: int) -> tuple[tuple[Indicator, ...], int]:
    """Return the indicators of some texts in the order in which they first appear, and how many more there were.

    At most `limit` different ones are returned; those that appeared later are counted. An indicator that stands in
    several places is one, with all of them; `seen` is how it stood first. What counts as one is said at `scan`. Time
    and memory are linear in the texts, whose length is the caller's to limit.
    """
    hits: dict[tuple[Kind, str], tuple[Hit, str]] = {}
    places: dict[tuple[Kind, str], set[Place]] = {}
    beyond: set[tuple[Kind, str]] = set()
    for place, text in texts:
        refanged = refang(text)
        for hit in scan(refanged):
            key = hit.kind, hit.value
            if key in hits:
                places[key].add(place)
            elif len(hits) < limit:
                hits[key] = hit, refanged.seen(hit.start, hit.end)
                places[key] = {place}
            else:
                beyond.add(key)
    return tuple(
        Indicator(
            kind=hit.kind,
            value=hit.value,
            seen=seen,
            places=tuple(sorted(places[key], key=_ORDER.__getitem__)),
            host=hit.host,
            registrable=hit.registrable,
        )
        for key, (hit, seen) in hits.items()
    ), len(beyond)
