"""Listening: files of sockets, their rights, and what is in the way."""

import asyncio
import os
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from abuse_triage.errors import AddressError
from abuse_triage.model.message import Channel
from abuse_triage.service import listen
from abuse_triage.service.listen import listening


class Hello(asyncio.Protocol):
    """A session that says hello and goes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say hello."""
        assert isinstance(transport, asyncio.Transport)
        transport.write(b"hello")
        transport.close()


@pytest.fixture
def short_patience(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Wait less long for an address that is taken."""
    monkeypatch.setattr(listen, "_BIND_SECONDS", 0.15)
    return


async def greeting(path: Path) -> bytes:
    """Connect to a socket and return what is said there."""
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        return await asyncio.wait_for(reader.read(), 5)
    finally:
        writer.close()
        await writer.wait_closed()


def stale(path: Path) -> None:
    """Leave a socket behind, as a killed process does."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()


async def test_a_socket_comes_and_goes(tmp_path: Path) -> None:
    """A socket answers while it is listened on, and its file is gone afterwards."""
    path = tmp_path / "lmtp"
    async with listening(Channel.LMTP, str(path), Hello):
        assert b"hello" == await greeting(path)
    assert not path.exists()


@pytest.mark.parametrize("mode", ["600", "660", "666"])
@pytest.mark.parametrize("mask", [0o000, 0o077])
async def test_rights(tmp_path: Path, mode: str, mask: int) -> None:
    """A socket has exactly the rights that are configured, whatever the umask, and the group of its folder."""
    before = os.umask(mask)
    try:
        async with listening(Channel.LMTP, str(tmp_path / "lmtp"), Hello, mode):
            status = (tmp_path / "lmtp").stat()
    finally:
        os.umask(before)
    assert int(mode, 8) == stat.S_IMODE(status.st_mode)
    assert os.stat(tmp_path).st_gid == status.st_gid  # noqa: PTH116 - a Path's method may not be called here


async def test_never_wider_rights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until the socket has its rights nobody but its owner has any, even with an open umask."""
    seen = []
    chmod = Path.chmod

    def spy(path: Path, mode: int) -> None:
        seen.append(stat.S_IMODE(path.stat().st_mode))
        chmod(path, mode)

    monkeypatch.setattr(Path, "chmod", spy)
    before = os.umask(0)
    try:
        async with listening(Channel.LMTP, str(tmp_path / "lmtp"), Hello, "660"):
            pass
    finally:
        os.umask(before)
    assert [0o600] == seen


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a folder any group")
@pytest.mark.parametrize(("mode", "group"), [("660", 4242), ("600", os.getegid())])
async def test_group_of_the_folder(tmp_path: Path, mode: str, group: int) -> None:
    """The group of the folder gets the socket where the group has rights on it."""
    os.chown(tmp_path, -1, 4242)
    async with listening(Channel.LMTP, str(tmp_path / "lmtp"), Hello, mode):
        assert group == (tmp_path / "lmtp").stat().st_gid


async def test_stale_socket(tmp_path: Path) -> None:
    """A socket that nobody answers on is replaced."""
    stale(tmp_path / "lmtp")
    async with listening(Channel.LMTP, str(tmp_path / "lmtp"), Hello):
        assert b"hello" == await greeting(tmp_path / "lmtp")


@pytest.mark.usefixtures("short_patience")
async def test_living_socket(tmp_path: Path) -> None:
    """A socket that somebody answers on stays as it is; the error names it and says what to do."""
    path = tmp_path / "lmtp"
    async with listening(Channel.LMTP, str(path), Hello):
        with pytest.raises(AddressError, match=f"cannot listen on {path}: Address already in use") as error:
            async with listening(Channel.LMTP, str(path), Hello):
                pass
        assert b"hello" == await greeting(path)
    advice = "`ss -lxp` shows, to root, who listens there: stop that, or change lmtp.listen."
    assert advice == error.value.advice


@pytest.mark.usefixtures("short_patience")
async def test_port_that_is_taken() -> None:
    """A port on which somebody listens is named, with the command that shows who that is."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(AddressError, match=f"cannot listen on {address}: Address already in use") as error:
            async with listening(Channel.SMTP, address, Hello):
                pass
    advice = "`ss -ltnp` shows, to root, who listens there: stop that, or change smtp.listen."
    assert advice == error.value.advice


@pytest.mark.usefixtures("short_patience")
async def test_busy_socket(tmp_path: Path) -> None:
    """A socket with a full queue belongs to somebody, too."""
    path = tmp_path / "lmtp"
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as waiting:
        listener.bind(str(path))
        listener.listen(0)
        waiting.connect(str(path))
        with pytest.raises(AddressError, match="temporarily unavailable"):
            async with listening(Channel.LMTP, str(path), Hello):
                pass
    assert path.is_socket()


async def test_socket_of_a_predecessor_that_is_ending(tmp_path: Path) -> None:
    """A socket whose owner is about to end is waited for."""
    path = tmp_path / "lmtp"
    predecessor = socket.socket(socket.AF_UNIX)
    predecessor.bind(str(path))
    predecessor.listen()
    timer = threading.Timer(0.3, predecessor.close)
    timer.start()
    async with listening(Channel.LMTP, str(path), Hello):
        assert b"hello" == await greeting(path)
    timer.join()


async def test_successor_keeps_its_socket(tmp_path: Path) -> None:
    """At the end only a socket of our own is removed."""
    path = tmp_path / "lmtp"
    async with listening(Channel.LMTP, str(path), Hello):
        path.unlink()
        stale(path)
    assert path.is_socket()


async def test_socket_that_is_gone_already(tmp_path: Path) -> None:
    """A socket that somebody removed is no trouble at the end."""
    async with listening(Channel.LMTP, str(tmp_path / "lmtp"), Hello):
        (tmp_path / "lmtp").unlink()


async def test_file_in_the_way(tmp_path: Path) -> None:
    """What is no socket is never removed."""
    path = tmp_path / "lmtp"
    path.write_text("precious")
    with pytest.raises(AddressError, match="File exists") as error:
        async with listening(Channel.LMTP, str(path), Hello):
            pass
    assert "precious" == path.read_text()
    assert "Remove it, or change lmtp.listen." == error.value.advice


async def test_folder_that_is_missing(tmp_path: Path) -> None:
    """Without its folder there is no socket, and the error says which folder."""
    path = tmp_path / "run" / "lmtp"
    with pytest.raises(AddressError, match=f"cannot listen on {path}: No such file or directory") as error:
        async with listening(Channel.LMTP, str(path), Hello):
            pass
    assert str(path.parent) in error.value.advice


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
async def test_folder_without_rights(tmp_path: Path) -> None:
    """In a folder that this user may not write there is no socket."""
    os.chmod(tmp_path, 0o500)  # noqa: PTH101 - a Path's method may not be called here
    with pytest.raises(AddressError, match="Permission denied"):
        async with listening(Channel.LMTP, str(tmp_path / "lmtp"), Hello):
            pass


async def test_address_of_somebody_else() -> None:
    """An address that this machine does not have is named."""
    with pytest.raises(AddressError, match=r"cannot listen on 192\.0\.2\.1:2525: ") as error:
        async with listening(Channel.SMTP, "192.0.2.1:2525", Hello):
            pass
    assert "smtp.listen" in error.value.advice
