"""Whether there is room for more mail: the one answer that the intake and `ingest` give."""

import shutil
from pathlib import Path

from abuse_triage.model.settings import StoreSettings


def shortage(settings: StoreSettings, waiting: int) -> str:
    """Return what is short, "disk" (`store.min_free`) or "queue" (`store.max_waiting`), "" where nothing is."""
    if free_bytes(settings.path.parent) < settings.min_free:
        return "disk"
    return "queue" if waiting >= settings.max_waiting else ""


def free_bytes(folder: Path) -> int:
    """Return the bytes that this user may still write in a folder's file system."""
    return shutil.disk_usage(folder).free
