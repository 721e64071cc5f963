"""A client that says bytes and reads lines, for what a dialogue cannot show."""

import asyncio
import contextlib

from abuse_triage.model.settings import Settings

MAIL = b"MAIL FROM:<a@example.org>\r\n"
RCPT = b"RCPT TO:<abuse@example.pt>\r\n"


class Mouth:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def open(cls, settings: Settings, *, lmtp: bool = False) -> "Mouth":
        """Connect to the first address of a kind and hear the greeting."""
        address = (settings.lmtp if lmtp else settings.smtp).listen[0]
        if address.startswith("/"):
            mouth = cls(*await asyncio.open_unix_connection(address))
        else:
            host, _, port = address.rpartition(":")
            mouth = cls(*await asyncio.open_connection(host, int(port)))
        assert f"220 mail.example.pt {'LMTP' if lmtp else 'ESMTP'}" == await mouth.hear()
        return mouth

    @classmethod
    async def in_data(cls, settings: Settings, *, lmtp: bool = False, recipients: int = 1) -> "Mouth":
        """Connect and go as far as DATA."""
        mouth = await cls.open(settings, lmtp=lmtp)
        await mouth.say(b"LHLO x\r\n" if lmtp else b"HELO x\r\n")
        for _ in range(5 * lmtp):
            await mouth.hear()
        await mouth.begin(recipients)
        return mouth

    async def begin(self, recipients: int = 1) -> None:
        """Begin a message: MAIL, RCPT, DATA."""
        answers = [await self.say(MAIL + RCPT * recipients + b"DATA\r\n")]
        answers += [await self.hear() for _ in range(recipients + 1)]
        assert ["250"] * (recipients + 1) + ["354"] == [answer[:3] for answer in answers]

    async def say(self, data: bytes) -> str:
        """Send bytes and return the next line."""
        self.writer.write(data)
        return await self.hear()

    async def hear(self) -> str:
        """Return the next line, "" at the end."""
        return (await asyncio.wait_for(self.reader.readline(), 10)).decode().rstrip("\r\n")

    async def rest(self) -> list[str]:
        """Return all lines until the server closes."""
        return (await asyncio.wait_for(self.reader.read(), 10)).decode().splitlines()

    async def close(self) -> None:
        """Hang up, unless the server did."""
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()
