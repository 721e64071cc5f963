"""What the first bytes of a file say that it is."""

_MAGIC = (
    (0, b"%PDF-", "application/pdf"),
    (0, b"PK\x03\x04", "application/zip"),
    (0, b"PK\x05\x06", "application/zip"),
    (0, b"\x1f\x8b", "application/gzip"),
    (0, b"BZh", "application/x-bzip2"),
    (0, b"\xfd7zXZ\x00", "application/x-xz"),
    (0, b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (0, b"Rar!\x1a\x07", "application/vnd.rar"),
    (0, b"\x28\xb5\x2f\xfd", "application/zstd"),
    (257, b"ustar", "application/x-tar"),
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF8", "image/gif"),
    (8, b"WEBP", "image/webp"),
    (0, b"BM", "image/bmp"),
    (0, b"MZ", "application/vnd.microsoft.portable-executable"),
    (0, b"\x7fELF", "application/x-elf"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
    (0, b"\x78\x9f\x3e\x22", "application/ms-tnef"),
    (0, b"{\\rtf", "application/rtf"),
    (0, b"-----BEGIN PGP", "application/pgp"),
    (0, b"<?xml", "application/xml"),
)
"""Offset, bytes, media type. All offsets and lengths together stay within the first 300 bytes."""
_TWO_LETTERS = frozenset([b"BM", b"MZ"])
"""Beginnings that words have too: a NUL must follow soon."""
_FIRST_BYTES = frozenset(magic[0] for offset, magic, _ in _MAGIC if offset == 0)


def detected(data: bytes) -> str:
    """Return the media type that the first bytes tell, "" where they tell none."""
    if not data:
        return ""
    known_start = data[0] in _FIRST_BYTES
    for offset, magic, name in _MAGIC:
        if (
            (offset or known_start)
            and data.startswith(magic, offset)
            and (magic not in _TWO_LETTERS or b"\0" in data[:64])
        ):
            return name
    return ""
