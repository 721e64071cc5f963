"""Listening on TCP addresses and unix sockets; a socket that nobody answers on any more is replaced.

Log event: `listening` (channel, address).
"""

import asyncio
import contextlib
import errno
import fcntl
import os
import socket
import stat
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path

import structlog

from abuse_triage.errors import AddressError
from abuse_triage.model.fields import host_port
from abuse_triage.model.message import Channel

log = structlog.get_logger()

Sessions = Callable[[], asyncio.BaseProtocol]
"""What makes the session of a new connection."""

BACKLOG = 512
"""So many connections of one address wait to be accepted; asyncio accepts them all at once."""
_BIND_SECONDS = 5.0
"""A predecessor that is still ending may hold an address so long."""
_GROUP_RIGHTS = 0o070


@contextlib.asynccontextmanager
async def listening(channel: Channel, address: str, sessions: Sessions, mode: str = "600") -> AsyncIterator[None]:
    """Listen on "127.0.0.1:25" or on the absolute path of a unix socket while the block runs.

    A socket file gets `mode` (octal digits) and the group of its folder, and is removed at the end. Raises
    `AddressError` with advice where the address cannot be had.
    """
    give_up = asyncio.get_running_loop().time() + _BIND_SECONDS
    while True:
        try:
            server, remove = await _listen(address, sessions, int(mode, 8))
            break
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EWOULDBLOCK) or asyncio.get_running_loop().time() > give_up:
                raise _cannot(channel, address, error) from error
        await asyncio.sleep(0.1)
    log.info("listening", channel=channel.value, address=address)
    try:
        yield
    finally:
        server.close()
        remove()


async def _listen(address: str, sessions: Sessions, mode: int) -> tuple[asyncio.Server, Callable[[], None]]:
    """Listen; return the server, and what removes its traces."""
    loop = asyncio.get_running_loop()
    if not address.startswith("/"):
        host, port = host_port(address)
        return await loop.create_server(sessions, host, port, backlog=BACKLOG), lambda: None
    path = Path(address)
    listener = _unix_socket(path, mode)
    server = await loop.create_unix_server(sessions, sock=listener, backlog=BACKLOG)
    return server, partial(_remove, path, _inode(path))


def _unix_socket(path: Path, mode: int) -> socket.socket:
    """Bind a unix socket; nobody but us has rights on its file until they are right.

    Two processes that want the same path take turns, for one of them would otherwise remove what the other just made.
    """
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    listener = socket.socket(socket.AF_UNIX)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _remove_stale(path)
        os.fchmod(listener.fileno(), mode & 0o600)  # Linux gives these rights to the file (unix(7))
        listener.bind(str(path))
        group = os.fstat(folder).st_gid
        if mode & _GROUP_RIGHTS and path.stat().st_gid != group:
            os.chown(path, -1, group)
        path.chmod(mode)
        listener.listen(BACKLOG)
    except BaseException:
        listener.close()
        raise
    finally:
        os.close(folder)
    return listener


def _remove(path: Path, inode: int) -> None:
    """Remove a socket file, unless it is already somebody else's."""
    with contextlib.suppress(FileNotFoundError):
        if _inode(path) == inode:
            path.unlink()


def _inode(path: Path) -> int:
    return path.lstat().st_ino


def _remove_stale(path: Path) -> None:
    """Remove a socket that nobody answers on; raises OSError where somebody does, or where it is no socket."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise FileExistsError(errno.EEXIST, "it is there and is no socket")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


def _cannot(channel: Channel, address: str, error: OSError) -> AddressError:
    key = f"{channel.value}.listen"
    match error.errno:
        case errno.EADDRINUSE | errno.EWOULDBLOCK:
            look = "ss -lxp" if address.startswith("/") else "ss -ltnp"
            advice = f"`{look}` shows, to root, who listens there: stop that, or change {key}."
        case errno.EEXIST:
            advice = f"Remove it, or change {key}."
        case errno.ENOENT:
            advice = f"Make the folder {Path(address).parent}, or change {key}."
        case _ if address.startswith("/"):
            advice = f"Make the folder {Path(address).parent} writable for this user, who is in its group."
        case _:
            advice = f"Change {key}, or give this user the right to listen there."
    return AddressError(f"cannot listen on {address}: {os.strerror(error.errno or 0)}", advice=advice)
