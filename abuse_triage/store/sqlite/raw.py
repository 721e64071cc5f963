"""The bytes of messages: a zlib stream (RFC 1950) each, which is written and read in slices where it is large.

A large message is stored as it is, in a stream of stored blocks (RFC 1951 section 3.2.4): the length of that is known
before anything is written, and no more than a slice of it is in memory beside the message itself. In either case the
message is what `zlib.decompress` makes of the column.
"""

import io
import struct
import zlib
from collections.abc import Iterator, Sequence

from abuse_triage.model.message import Arrival
from abuse_triage.store.sqlite.connection import Connection

LARGE = 1_000_000
"""Bytes above which a message is stored as it is."""

_BLOCK = 0xFFFF
"""The largest stored block there may be."""
_HEADER = b"\x78\x01"
_BLOCK_HEADER = struct.Struct("<BHH")
_CHECKSUM = struct.Struct(">I")

_INSERT = "INSERT INTO raw_messages (message_id, raw) VALUES (?, ?)"
_INSERT_ROOM = "INSERT INTO raw_messages (message_id, raw) VALUES (?, zeroblob (?))"


class Packed:
    """Messages made ready before the transaction that writes them, so that this is short."""

    def __init__(self, arrivals: Sequence[Arrival]) -> None:
        self._small = [(each.id, zlib.compress(each.raw, 1)) for each in arrivals if len(each.raw) <= LARGE]
        self._large = [each for each in arrivals if len(each.raw) > LARGE]

    def write(self, db: Connection) -> None:
        """Write them, inside a transaction."""
        db.run_many(_INSERT, self._small)
        for arrival in self._large:
            row = db.add(_INSERT_ROOM, arrival.id, _stream_size(len(arrival.raw)))
            with db.slices("raw_messages", "raw", row) as blob:
                for piece in _stream(arrival.raw):
                    blob.write(piece)


def read_raw(db: Connection, row: int) -> bytes:
    """Return the message in a row of `raw_messages` byte for byte, inside a transaction."""
    text, stream = io.BytesIO(), zlib.decompressobj()
    with db.slices("raw_messages", "raw", row, readonly=True) as blob:
        while piece := blob.read(_BLOCK):
            text.write(stream.decompress(piece))
    if not stream.eof:
        raise zlib.error("a stored message has no end")
    return text.getvalue()


def _stream_size(size: int) -> int:
    blocks = -(-size // _BLOCK)
    return len(_HEADER) + blocks * _BLOCK_HEADER.size + size + _CHECKSUM.size


def _stream(raw: bytes) -> Iterator[bytes]:
    """Yield the stream of a message that is not empty, block by block."""
    view = memoryview(raw)
    yield _HEADER
    for start in range(0, len(raw), _BLOCK):
        block = view[start : start + _BLOCK]
        is_last = start + _BLOCK >= len(raw)
        yield _BLOCK_HEADER.pack(is_last, len(block), len(block) ^ 0xFFFF) + block
    yield _CHECKSUM.pack(zlib.adler32(raw))
