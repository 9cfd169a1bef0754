"""The import itself: every pair into images/SPLIT and masks/SPLIT, dataset.yaml last."""

import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from segnext.data.curate.init import to_yaml
from segnext.data.formats.classes import given_bands
from segnext.data.formats.journal import (
    ImportRecord,
    ImportSummary,
    finish_journal,
    imported_names,
    name_in,
    read_journal,
    start_journal,
    to_line,
)
from segnext.data.formats.options import Options
from segnext.data.formats.original import open_source as open_original
from segnext.data.formats.public import FORMATS as PUBLIC
from segnext.data.formats.rotation import extent_of, laid_on
from segnext.data.formats.source import Item, Problem, Source
from segnext.data.masks import Mask, PairError
from segnext.errors import SegNextError
from segnext.files import remove_leftovers, replacing
from segnext.labels import UNNAMED, Labels
from segnext.painting import WHITE, indexed, palette
from segnext.pillow import SUFFIXES
from segnext.progress import Watch, quiet

WORKERS = 2
ALL_IGNORED = "masks that hold nothing but the ignore label"


def import_dataset(kind: str, destination: Path, options: Options, watch: Watch = quiet) -> ImportSummary:
    """Import a data set of the format `kind` into the folder `destination`, or go on with an interrupted import.

    Pictures are copied byte for byte (or linked), masks become 8-bit palette PNG. Pairs that cannot be imported are
    named in the summary and in `destination`/import.jsonl. The source is only read.

    Raises:
        SegNextError: when nothing can be imported, the options do not fit, or the destination cannot be written.
    """
    _require_apart(options.source, destination)
    if kind in PUBLIC and kind != "voc":
        source = open_original(kind, options, watch)
    else:
        source = import_module(f"segnext.data.formats.{kind}").open_source(options, watch)
    if source.labels.name == UNNAMED:
        source = replace(source, labels=replace(source.labels, name=destination.resolve().name or UNNAMED))
    bands = given_bands(options)
    settings = {"from": kind, **_settings(options), "labels": source.labels.to_dict(), **source.settings}
    earlier = read_journal(destination, settings)
    targets = _targets(source.items)
    writer = _Writer(destination, options, source, earlier)
    try:
        destination.mkdir(parents=True, exist_ok=True)
        for folder in [path for path in destination.rglob("*") if earlier and path.is_dir()]:
            remove_leftovers(folder)
        records: list[ImportRecord] = []
        with start_journal(destination, settings) as report:
            for done, record in enumerate(writer.run(targets), 1):
                if not writer.is_kept(record):
                    report.write(to_line(record))
                records.append(record)
                watch("pairs", done, len(targets))
        records += [writer.lone(problem) for problem in source.problems]
        if any(record.target for record in records):
            with replacing(destination / "dataset.yaml") as temporary:
                temporary.write_text(to_yaml(source.labels, bands), encoding="utf-8")
        finish_journal(destination, settings, records)
    except OSError as error:
        raise SegNextError(
            f"{error.filename or destination}: cannot be written ({error.strerror}); make room or choose another "
            "folder, and run again: what is complete is kept"
        ) from error
    kept = sum(writer.is_kept(record) for record in records)
    return ImportSummary(tuple(records), kept, source.remarks)


class _Writer:
    """Writes pairs, several at a time."""

    def __init__(
        self, destination: Path, options: Options, source: Source, earlier: dict[tuple[str, str], ImportRecord]
    ) -> None:
        self.destination, self.options, self.source, self.earlier = destination, options, source, earlier
        self.root = options.source if options.source.is_dir() else options.source.parent
        self.palette = _palette(source.labels)
        self.settled = imported_names(self.root)  # by an earlier import, whose masks are upright

    def run(self, targets: list[tuple[Item, str]]) -> Iterator[ImportRecord]:
        """A record for each pair, in order."""
        with ThreadPoolExecutor(WORKERS) as pool:
            try:
                yield from pool.map(lambda pair: self.one(*pair), targets)
            finally:
                pool.shutdown(cancel_futures=True)

    def one(self, item: Item, target: str) -> ImportRecord:
        """Import a pair, unless it is there."""
        record = ImportRecord(self._name(item.image), self._name(item.mask), target, stamp=_stamp(item))
        image = self.destination / "images" / target
        mask = (self.destination / "masks" / target).with_suffix("" if self.source.labels.multi_label else ".png")
        known = self.earlier.get((record.source, record.mask))
        if known and (known.target, known.stamp) == (target, record.stamp) and image.is_file() and mask.exists():
            return known
        try:
            picture = item.embedded() if item.embedded else item.image
            extent = extent_of(picture)
            reading = self.source.read(item, extent)
            resize = self.options.resize_masks == "nearest"
            planes = reading.mask if self.source.labels.multi_label else reading.mask[None]
            laid = [laid_on(plane, extent, self._drawn_on(item), resize) for plane in planes]
            changes = laid[0][1]
        except SegNextError as error:
            kind = error.kind if isinstance(error, PairError) else "unreadable"
            return replace(record, target="", kind=kind, reason=str(error))
        except (OSError, KeyError, TypeError, ValueError) as error:  # a file that vanished, annotations without a field
            reason = f"{item.mask}: cannot be read ({type(error).__name__}: {error})"
            return replace(record, target="", kind="unreadable", reason=reason)
        notes = {**reading.notes, **dict.fromkeys(changes, 1)}
        if all((plane == self.source.labels.ignore).all() for plane, _ in laid):
            notes[ALL_IGNORED] = 1
        if self.source.labels.multi_label:
            self._write_planes([plane for plane, _ in laid], mask)
        else:
            self._write_mask(laid[0][0], mask)
        self._write_image(picture, image)
        return replace(record, notes=notes)

    def lone(self, problem: Problem) -> ImportRecord:
        """The record of a file that belongs to no pair."""
        return ImportRecord(
            self._name(problem.file), kind=problem.kind, reason=problem.reason, expected=problem.expected
        )

    def is_kept(self, record: ImportRecord) -> bool:
        """Whether an earlier run made this record."""
        return self.earlier.get((record.source, record.mask)) is record

    def _drawn_on(self, item: Item) -> str:
        inside = item.image.is_relative_to(self.root)
        settled = inside and name_in(item.image.relative_to(self.root)) in self.settled
        return "upright" if settled else self.options.exif

    def _name(self, file: Path) -> str:
        return file.relative_to(self.root).as_posix() if file.is_relative_to(self.root) else str(file)

    def _write_mask(self, labels: Mask, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            indexed(labels, self.palette).save(temporary)

    def _write_planes(self, planes: list[Mask], folder: Path) -> None:
        """A file of 0 and 255 for each class in the picture."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, plane in zip(self.source.labels.classes, planes, strict=True):
            if plane.any():
                with replacing(folder / f"{name}.png") as temporary:
                    Image.fromarray(plane * np.uint8(255)).save(temporary)

    def _write_image(self, picture: Path | bytes, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(picture, Path) and self.options.link and _linked(picture, path):
            return
        with replacing(path) as temporary:
            if isinstance(picture, bytes):
                temporary.write_bytes(picture)
            else:
                shutil.copyfile(picture, temporary)


def _linked(picture: Path, path: Path) -> bool:
    """Make a hard link; False where the disk has none, so that a copy is made."""
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    temporary.unlink(missing_ok=True)
    try:
        os.link(picture.resolve(), temporary)
    except OSError:
        return False
    temporary.replace(path)
    temporary.unlink(missing_ok=True)  # renaming a link to the same file does nothing
    return True


def _targets(items: tuple[Item, ...]) -> list[tuple[Item, str]]:
    """SPLIT/NAME.SUFFIX of each pair; names that differ by suffix or case alone get a number."""
    taken: set[str] = set()
    targets = []
    for item in items:
        suffix = item.image.suffix if item.image.suffix.lower() in SUFFIXES else ".png"
        stem = f"{item.split or 'train'}/{item.name}"
        name, number = stem, 1
        while PurePosixPath(name).as_posix().casefold() in taken:
            number += 1
            name = f"{stem}-{number}"
        taken.add(PurePosixPath(name).as_posix().casefold())
        targets.append((item, name + suffix))
    return targets


def _palette(labels: Labels) -> NDArray[np.uint8]:
    """The classes' colours; what is ignored is white, if no class is."""
    colors = palette(labels)
    colors[labels.ignore] = WHITE if WHITE not in labels.colors else 0
    return colors


def _stamp(item: Item) -> tuple[int, ...]:
    files = (item.mask, *item.more) if item.embedded else (item.image, item.mask, *item.more)
    found = [file.stat() for file in files if file.exists()]  # one that vanished is told of when it is read
    return tuple(value for stat in found for value in (stat.st_size, stat.st_mtime_ns))


def _settings(options: Options) -> dict[str, Any]:
    """The options that decide what the pairs become; how pictures get there, and their bands' names, do not."""
    settings = {**asdict(options), "source": str(options.source.resolve())}
    return {name: value for name, value in settings.items() if name not in ("link", "bands", "nodata")}


def _require_apart(source: Path, destination: Path) -> None:
    inside, outside = destination.resolve(), source.resolve()
    if inside == outside or inside.is_relative_to(outside) or outside.is_relative_to(inside):
        raise SegNextError(
            f"{destination}: lies in the source or around it, which is never written to; import into another folder"
        )
