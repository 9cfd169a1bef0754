"""The class lists that annotation tools write beside their masks.

Roboflow writes _classes.csv ("Pixel Value, Class"), CVAT labelmap.txt ("name:r,g,b:parts:actions"), labelme and many
others a text file with a name on each line. Beside colour masks there often is a class_dict.csv ("name, r, g, b").
"""

import csv
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

from segnext.data.known import labels_for_count
from segnext.documents import read_yaml
from segnext.errors import SegNextError
from segnext.labels import Color, Labels

NAMES = (
    *("_classes.csv", "class_dict.csv", "class_dict_seg.csv"),
    *("labelmap.txt", "label_map.txt", "class_names.txt", "classes.txt", "labels.txt"),
    *("meta.json", "classes.json"),
)
IGNORED = "__ignore__"  # labelme's name of what is no class
_CVAT = re.compile(r"([^:]+):(\d+),(\d+),(\d+):[^:]*:.*")
_HEX = re.compile(r"#([0-9a-fA-F]{2})([0-9a-fA-F]{2})([0-9a-fA-F]{2})")
_SPREAD = labels_for_count(256).colors


def read_class_list(file: Path) -> Labels:
    """The classes that a file of one of the tools lists; colours are made up where it has none.

    Raises:
        SegNextError: when it cannot be read, or is no list of classes of different names.
    """
    return Labels.from_dict(class_list_content(file), str(file))


def find_class_list(*folders: Path) -> tuple[Labels, Path] | None:
    """The first class list that lies in one of the folders, and its file."""
    for file in (folder / name for folder in folders for name in NAMES):
        if file.is_file():
            with suppress(SegNextError):  # another kind of list that is called so
                return read_class_list(file), file
    return None


def class_list_content(file: Path) -> dict[str, Any]:
    """The same as a dataset.yaml would hold it, with names that may be repeated.

    Raises:
        SegNextError: when it cannot be read, or is no list of classes.
    """
    if file.suffix.lower() == ".json":
        return _titled(read_yaml(file), file)
    try:
        lines = [line.strip() for line in file.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise SegNextError(f"{file}: cannot be read ({error}); give a list of classes to --classes") from error
    lines = [line for line in lines if line and not line.startswith("#")]
    csv_file = file.suffix.lower() == ".csv"
    entries = _numbered(lines) or _tinted(lines) if csv_file else _colored(lines) or _plain(lines)
    if not entries:
        raise SegNextError(
            f"{file}: not a list of classes; give a dataset.yaml, Roboflow's _classes.csv, a class_dict.csv of names "
            "and colours, CVAT's labelmap.txt, or a text file with a name on each line to --classes"
        )
    classes = [{"name": name, "color": color} for name, color in entries]
    return {"classes": classes}


def _titled(content: Any, file: Path) -> dict[str, Any]:
    """What has classes with a title, as a dataset.yaml would hold it; anything else as it is."""
    entries = content.get("classes") if isinstance(content, dict) else None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) and "title" in entry for entry in entries):
        return content  # type: ignore[no-any-return]  # a dataset.yaml in JSON; Labels says what is wrong
    classes = []
    for entry in entries:
        hexadecimal = _HEX.fullmatch(str(entry.get("color")))
        color = [int(part, 16) for part in hexadecimal.groups()] if hexadecimal else entry.get("color")
        classes.append({"name": entry["title"], "color": color})
    return {"classes": classes}


def _numbered(lines: list[str]) -> list[tuple[str, Color]]:
    """The rows "label, name" behind a header; labels that are left out get a name of their own."""
    rows = [[cell.strip() for cell in row] for row in csv.reader(lines[1:], skipinitialspace=True)]
    names = {int(row[0]): row[1] for row in rows if len(row) == 2 and row[0].isdigit() and int(row[0]) < 255}
    if len(names) < len(rows):
        return []
    return [(names.get(label, f"class {label}"), _SPREAD[label]) for label in range(max(names, default=-1) + 1)]


def _tinted(lines: list[str]) -> list[tuple[str, Color]]:
    """The rows "name, red, green, blue" behind a header; what follows them is left out."""
    rows = [[cell.strip() for cell in row] for row in csv.reader(lines[1:], skipinitialspace=True)]
    if not all(len(row) >= 4 and all(cell.isdigit() and int(cell) < 256 for cell in row[1:4]) for row in rows):
        return []
    return [(row[0], (int(row[1]), int(row[2]), int(row[3]))) for row in rows]


def _colored(lines: list[str]) -> list[tuple[str, Color]]:
    found = [match for line in lines if (match := _CVAT.fullmatch(line))]
    if len(found) < len(lines):
        return []
    return [(match[1], (int(match[2]), int(match[3]), int(match[4]))) for match in found]


def _plain(lines: list[str]) -> list[tuple[str, Color]]:
    names = [line for line in lines if line != IGNORED]
    wordy = [line for line in names if len(line) > 40 or line.count(" ") > 3 or ":" in line]
    return [] if wordy or len(names) > 255 else [(name, _SPREAD[label]) for label, name in enumerate(names)]
