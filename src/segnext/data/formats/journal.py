"""What became of every file of the source: DEST/import.jsonl, by which an interrupted import also goes on.

The first line holds the settings, each other line a pair or a lone file. A line is written as soon as its pair is
complete; at the end the file is replaced by one without repetitions.
"""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from segnext.errors import SegNextError
from segnext.files import replacing

FILE = "import.jsonl"


@dataclass(frozen=True)
class ImportRecord:
    """What became of a pair, or of a file that belongs to none.

    Attributes:
        source: the picture, or the lone file, relative to the source.
        mask: the mask or annotations, relative to the source; "" for a lone file.
        target: the picture in the data set, relative to its folder; "" when it was not imported.
        kind: why it was not imported, in a few words that group the reasons; "" when it was.
        reason: the same as a sentence.
        expected: nothing is wrong about its being left out.
        notes: what was done to the mask, and to how many pixels or shapes.
        stamp: size and time of change of the source's files, by which a later import knows them.
    """

    source: str
    mask: str = ""
    target: str = ""
    kind: str = ""
    reason: str = ""
    expected: bool = False
    notes: dict[str, int] = field(default_factory=dict)
    stamp: tuple[int, ...] = ()


@dataclass(frozen=True)
class ImportSummary:
    """An import that is finished: its records in the source's order, and how many an earlier run had done."""

    records: tuple[ImportRecord, ...]
    kept: int
    remarks: tuple[str, ...]

    @property
    def imported(self) -> int:
        """Number of pairs in the data set."""
        return sum(bool(record.target) for record in self.records)

    @property
    def failed(self) -> int:
        """Number of pairs and files that should have been imported but were not."""
        return sum(not record.target and not record.expected for record in self.records)

    def splits(self) -> dict[str, int]:
        """Pairs of each split."""
        return dict(Counter(record.target.split("/")[0] for record in self.records if record.target))

    def notes(self) -> dict[str, tuple[int, int]]:
        """What was done to masks: to how many pixels or shapes, in how many masks."""
        amounts: Counter[str] = Counter()
        masks: Counter[str] = Counter()
        for record in self.records:
            amounts.update(record.notes)
            masks.update(record.notes.keys())
        return {note: (amounts[note], masks[note]) for note in amounts}


def read_journal(folder: Path, settings: dict[str, Any]) -> dict[tuple[str, str], ImportRecord]:
    """Records of an earlier import into `folder`, by source and mask; none when it imported nothing.

    Raises:
        SegNextError: when it had other settings, its pictures have been moved since, or the folder holds a data set
            that was not imported.
    """
    path, finished = folder / FILE, (folder / "dataset.yaml").exists()
    if not path.exists():
        if finished or any((folder / part).exists() for part in ("images", "masks")):
            raise SegNextError(f"{folder}: holds a data set already; import into a folder of its own")
        return {}
    head, *lines = path.read_text(encoding="utf-8").splitlines() or [""]
    contents = [content for line in lines if (content := _parse(line)) is not None]
    records = [ImportRecord(**{**content, "stamp": tuple(content["stamp"])}) for content in contents]
    if not any(record.target for record in records):
        path.unlink()
        return {}
    before, now = _parse(head) or {}, json.loads(json.dumps(settings))
    if before != now:
        others = ", ".join(key for key in now if before.get(key) != now[key])
        raise SegNextError(
            f"{folder}: holds an import with other settings ({others}); repeat those, or remove the folder or choose "
            "another one"
        )
    moved = [record.target for record in records if record.target and not (folder / "images" / record.target).exists()]
    if finished and moved:
        raise SegNextError(
            f"{folder / 'images' / moved[0]}: was moved or removed after the import ({len(moved)} such pictures); "
            "import into another folder"
        )
    return {(record.source, record.mask): record for record in records}


def imported_names(folder: Path) -> set[str]:
    """The pictures that an import brought into `folder`, without images/SPLIT/; none where there was no import.

    Their masks lie on them as they are seen, EXIF orientation applied.
    """
    path = folder / FILE
    lines = path.read_text(encoding="utf-8").splitlines()[1:] if path.is_file() else []
    contents = [content for line in lines if isinstance(content := _parse(line), dict)]
    return {str(content.get("target", "")).partition("/")[2] for content in contents} - {""}


def name_in(picture: Path) -> str:
    """The name that `imported_names` has for images/SPLIT/NAME; "" for other paths."""
    return "/".join(picture.parts[2:]) if picture.parts[:1] == ("images",) else ""


def start_journal(folder: Path, settings: dict[str, Any]) -> IO[str]:
    """Open the journal for further lines; settings come first."""
    path = folder / FILE
    if not path.exists():
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(settings) + "\n", encoding="utf-8")
    file = path.open("a", encoding="utf-8", buffering=1)
    file.write("\n")  # ends a line that was cut short
    return file


def finish_journal(folder: Path, settings: dict[str, Any], records: Iterable[ImportRecord]) -> None:
    """Write the journal anew, a line for each record."""
    with replacing(folder / FILE) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write(json.dumps(settings) + "\n")
        file.writelines(to_line(record) for record in records)


def to_line(record: ImportRecord) -> str:
    """A record as a line of JSON."""
    return json.dumps(asdict(record)) + "\n"


def _parse(line: str) -> Any:
    """A line's content; None when it was cut short."""
    try:
        return json.loads(line)
    except ValueError:
        return None
