"""Weights that are downloaded by name, on this machine: downloaded and converted once, then taken from a folder.

FOLDER/NAME.safetensors     converted, with provenance in the header
FOLDER/NAME.json            address, SHA-256 and size of what it was made from
FOLDER/downloads/FILE       on the way, or put there by hand
FOLDER/licence-note.txt     the notes that were shown
"""

import json
import os
import sys
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from segnext.cache import cache_folder
from segnext.checkpoint.catalogue import PUBLISHED, Published
from segnext.checkpoint.download import Downloaded, UnavailableError, digest, download
from segnext.checkpoint.provenance import Provenance
from segnext.errors import SegNextError
from segnext.plain import write_json


def offline() -> bool:
    """Whether SEGNEXT_OFFLINE forbids the network."""
    return os.environ.get("SEGNEXT_OFFLINE", "").lower() not in ("", "0", "false", "no")


def published_file(name: str, *, local_files_only: bool = False) -> Path:
    """Our file of the published weights `name`, downloaded and converted when it is not in the cache.

    Processes that want the same weights at once wait for the first of them.

    Args:
        name: one of `catalogue.PUBLISHED`.
        local_files_only: whether it must not be downloaded, as with SEGNEXT_OFFLINE.

    Raises:
        SegNextError: when it is not in the cache and cannot be downloaded, is not what was published, or the
            cache folder cannot be written.
    """
    entry = PUBLISHED[name]
    folder = cache_folder()
    target = folder / f"{name}.safetensors"
    if target.is_file():
        return target
    try:
        (folder / "downloads").mkdir(parents=True, exist_ok=True)
        with _lock(folder / f"{name}.lock", name):
            if not target.is_file():
                _convert(entry, target, "local_files_only" if local_files_only else "SEGNEXT_OFFLINE" * offline())
    except OSError as error:
        problem = error.strerror or str(error)
        raise SegNextError(f"{folder}: cannot be written ({problem}); set SEGNEXT_CACHE to another folder") from error
    return target


def _lock(path: Path, name: str) -> FileLock:
    """The lock of these weights, taken; says so when another process holds it."""
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
        lock.release()
    except Timeout:
        print(f"{name}: waiting for another process that is downloading it", file=sys.stderr)
    return lock


def _show_licence(note: str, folder: Path) -> None:
    """Say the licence on stderr, once per cache folder."""
    with (folder / "licence-note.txt").open("a+", encoding="utf-8") as shown:
        shown.seek(0)
        if note not in shown.read():
            shown.write(f"{note}\n")
            print(note, file=sys.stderr)


def _convert(entry: Published, target: Path, forbidden: str) -> None:
    """Download the publisher's file unless it lies there, check it, and write `target`; then it is deleted.

    It is kept when something else than the file is at fault, such as a full disk. `forbidden` is what keeps it from
    using the network, if anything.
    """
    official = target.parent / "downloads" / entry.file
    record = target.with_suffix(".json")
    known, whose = _expected(entry, record)
    if official.is_file():  # put there by hand
        origin = Downloaded(entry.url, digest(official), official.stat().st_size)
    elif forbidden:
        raise SegNextError(
            f"{entry.name} is not in the cache {target.parent} and {forbidden} is set; unset it, or put "
            f"{entry.file} from {entry.url} into {official.parent}"
        )
    else:
        origin = _download(entry, official)
    _show_licence(entry.licence_note, target.parent)
    try:
        if not origin.sha256.startswith(known):
            raise SegNextError(
                f"{entry.file}: its SHA-256 starts with {origin.sha256[:8]}, but {known[:8]} was {whose}, so it was "
                "deleted; download it again"
            )
        _write(entry, origin, official, target)
        _record(entry, origin, record)
    except SegNextError:
        official.unlink()  # it is not what it should be
        raise
    official.unlink()


def _download(entry: Published, official: Path) -> Downloaded:
    try:
        return download(entry.urls(), official, entry.sha256, entry.limit)
    except UnavailableError as error:
        raise SegNextError(
            f"{error}; try again later, set SEGNEXT_MIRRORS to another source, or put the file into {official.parent}"
        ) from error


def _expected(entry: Published, record: Path) -> tuple[str, str]:
    """How the file's hash begins, and who says so: its publisher, or where it states none the first download.

    Raises:
        SegNextError: when the record of the first download is damaged.
    """
    if not record.is_file():
        return entry.sha256, "published"
    try:
        known = str(json.loads(record.read_text(encoding="utf-8"))["sha256"])
    except (ValueError, KeyError, TypeError) as error:
        raise SegNextError(
            f"{record}: the record of the first download of {entry.file} is damaged; delete it to trust the next one"
        ) from error
    return known, f"recorded at the first download (delete {record} to trust the new file)"


def _write(entry: Published, origin: Downloaded, official: Path, target: Path) -> None:
    """The publisher's file as ours, with where it comes from."""
    from segnext.checkpoint.convert import convert_from_official
    from segnext.checkpoint.weights import load_weights, save_weights

    score: dict[str, Any] | None = None
    if entry.miou is not None:
        score = {"data": f"{entry.labels} val", "miou": entry.miou}
    if entry.top1 is not None:
        score = {"data": "ImageNet-1K val", "top1": entry.top1}
    provenance = Provenance(
        converted_from=None if entry.ours else entry.file,
        url=origin.url,
        sha256=origin.sha256,
        licence=entry.licence,
        licence_note=entry.licence_note,
        published=score,
    )
    if entry.ours:
        weights = load_weights(official)
        save_weights(replace(weights, provenance=weights.provenance.updated(provenance)), target, half=True)
        return
    convert_from_official(official, target, like=entry.labels, usual_rank=entry.rank, provenance=provenance)


def _record(entry: Published, origin: Downloaded, record: Path) -> None:
    """Note what was downloaded, for later downloads of a file whose publisher states no hash to be held to."""
    if not entry.sha256 and not record.is_file():
        print(
            f"{entry.name}: its publisher states no SHA-256; {origin.sha256[:8]}... of this first download is recorded "
            "and later ones are held to it",
            file=sys.stderr,
        )
    when = datetime.now(timezone.utc).isoformat(timespec="seconds")
    content = {"url": origin.url, "sha256": origin.sha256, "size": origin.size, "downloaded": when}
    write_json(content, record)
