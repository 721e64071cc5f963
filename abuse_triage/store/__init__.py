"""What is kept, behind protocols that each engine implements."""

from pathlib import Path

from abuse_triage.store.interface import Store


def open_store(
    path: Path, number_format: str = "{year}-{sequence:06}", *, small_cache: bool = False, max_offered: int = 1000
) -> Store:
    """Open the SQLite store at `path`, creating or upgrading the file.

    Raises `TemporaryError` where the file cannot be opened now, and `ConfigError` where its file system cannot keep a
    commit safe.

    Args:
        path: the SQLite file; its folder must exist.
        number_format: ticket numbers, with the fields `year` and `sequence` left to fill. Whoever opens tickets gives
            the configured one.
        small_cache: whether it only takes mail in; a large cache would hold a large message a second time.
        max_offered: certificates that came with messages and are kept; whoever finishes messages gives the configured
            number.
    """
    # Imported here so that a command that needs no store does not pay for it.
    from abuse_triage.store.sqlite import SqliteStore  # noqa: PLC0415 - see above

    return SqliteStore(path, number_format, small_cache=small_cache, max_offered=max_offered)
