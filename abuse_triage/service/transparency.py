"""The text of a message as DATA carries it: dots that begin a line are doubled (RFC 5321 section 4.5.2)."""

import io


class MessageText:
    """The text of one message while it comes in, in pieces of any size.

    Only CRLF ends a line: a dot behind a bare LF is text. The text is kept once, without a second copy at the end. As
    soon as it is larger than `limit` bytes, only its first `keep` bytes stay, or nothing where that is 0.
    """

    def __init__(self, limit: int, keep: int = 0) -> None:
        self.size = 0
        """Bytes of text so far; it goes on counting when the text was dropped or cut."""
        self._limit = limit
        self._keep = min(keep, limit)
        self._text: io.BytesIO | None = io.BytesIO()
        self._rest = b"\r\n"  # what a dot may follow: the beginning of the text counts as the beginning of a line
        self._virtual = 2  # so many bytes of it never came

    @property
    def truncated(self) -> bool:
        """Whether the text was larger than the limit."""
        return self.size > self._limit

    @property
    def held(self) -> int:
        """Bytes that are kept in memory."""
        if self._text is None:
            return 0
        return self._keep if self.truncated else self.size

    def drop(self) -> None:
        """Forget the text; what still comes is only counted."""
        self._text = None

    def feed(self, piece: bytes) -> None:
        """Take the next piece, without the line with the dot that ends the text."""
        piece = self._rest + piece
        keep = 2 if piece.endswith(b"\r\n") else 1 if piece.endswith(b"\r") else 0
        self._rest = piece[len(piece) - keep :]
        self._write(piece[: len(piece) - keep].replace(b"\r\n.", b"\r\n"))

    def finish(self) -> bytes:
        """Return the text, once, or what was kept of it; b"" where it was dropped."""
        self._write(self._rest)
        text, self._text = self._text, None
        return text.getvalue() if text else b""

    def _write(self, piece: bytes) -> None:
        if self._virtual and piece:
            piece, self._virtual = piece[self._virtual :], 0
        before, self.size = self.size, self.size + len(piece)
        if self._text is None:
            return
        if not self.truncated:
            self._text.write(piece)
        elif before <= self._limit:  # here it became too large
            self._text = self._beginning(self._text, piece)

    def _beginning(self, text: io.BytesIO, piece: bytes) -> io.BytesIO | None:
        """Return a text of its own with the first bytes, so that the memory of the rest is free at once."""
        if not self._keep:
            return None
        text.write(piece[: self._keep])
        text.truncate(self._keep)
        return io.BytesIO(text.getvalue())
