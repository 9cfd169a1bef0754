"""What annotation tools leave behind: their files are told by what they begin with."""

import re
from collections import defaultdict
from pathlib import Path

from segnext.data.doctor.advice import command
from segnext.data.doctor.findings import Finding, found
from segnext.data.doctor.survey import Survey

LOOKED = 3  # files of each folder and suffix that are opened
START = 1 << 20  # bytes of each

# The import's name, what people call it, the suffix, and what such a file holds.
_MARKS = (
    ("cvat", "CVAT for images", ".xml", rb"<annotations>.*<image [^>]*name="),
    ("via", "VGG Image Annotator", ".json", rb'"shape_attributes"'),
    ("labelme", "labelme", ".json", rb'"shapes"\s*:'),
    ("labelstudio", "Label Studio", ".json", rb'"(annotations|completions)"\s*:.*"(from_name|original_width)"\s*:'),
    ("labelstudio", "Label Studio", ".json", rb'"brushlabels"|"polygonlabels"'),
    ("supervisely", "Supervisely", ".json", rb'"objects"\s*:.*"(classTitle|geometryType)"|"tags"\s*:.*"objects"\s*:'),
    ("coco", "COCO", ".json", rb'"(annotations|categories|images)"\s*:'),
    ("yolo", "YOLO", ".txt", rb"\A(?=[^\n]*\.\d)\s*\d+(\s+(0?\.\d+(e-?\d+)?|[01](\.0*)?)){6,}\s*(\n|\Z)"),
    ("text", "matrices of labels", ".txt", rb"\A[\s\d.,;eE+\-]+\Z"),
    ("text", "matrices of labels", ".csv", rb"\A[\s\d.,;eE+\-]+\Z"),
    ("text", "matrices of labels", ".npy", rb"\A\x93NUMPY"),
    ("text", "matrices of labels", ".npz", rb"\APK"),
)


def judge_tools(survey: Survey) -> list[Finding]:
    """The tool that labels in the folder come from; [] where none is known."""
    files: dict[tuple[str, str], list[Path]] = defaultdict(list)
    folders: dict[tuple[Path, str], list[Path]] = defaultdict(list)
    for file in survey.tree.others:
        folders[file.parent, file.suffix.lower()].append(file)
    for (_, suffix), inside in folders.items():
        for source, tool, wanted, mark in _MARKS:
            if suffix == wanted and any(
                re.search(mark, _start(survey.root / file), re.DOTALL) for file in inside[:LOOKED]
            ):
                files[source, tool] += inside
                break
    order = [source for source, *_ in _MARKS]
    for (source, tool), inside in sorted(files.items(), key=lambda entry: order.index(entry[0][0])):
        return [found("annotations", inside, tool=tool, fix=command("import", survey.root, "DEST", "--from", source))]
    return []


def _start(file: Path) -> bytes:
    try:
        with file.open("rb") as content:
            return content.read(START)
    except OSError:
        return b""
