"""Turning a folder of images and masks into a data set: its `dataset.yaml`, and a first look at the masks."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import yaml

from segnext.data.known import known_labels
from segnext.data.masks import read_labels
from segnext.documents import read_yaml
from segnext.errors import SegNextError
from segnext.files import replacing, walk
from segnext.labels import Labels
from segnext.preprocess import Bands

SAMPLED_MASKS = 8  # per split: enough to notice a wrong label set, quick on any folder


@dataclass(frozen=True)
class Split:
    """What a split's folders hold.

    Attributes:
        name: the folder's name under `images` and `masks`.
        images: number of files under `images/NAME`.
        masks: number of PNG files under `masks/NAME`.
        sampled: number of masks that were opened.
        problems: one sentence for each opened mask that does not fit the label set.
    """

    name: str
    images: int
    masks: int
    sampled: int
    problems: tuple[str, ...]


def init_dataset(folder: Path, like: str, ignore: int | None = None, *, name: str | None = None) -> Path:
    """Write the `dataset.yaml` of the known label set `like` into `folder`, which is made, and return its path.

    `ignore` replaces the label set's own ignore label, and `name` its name. A file with the same content
    is left as it is.

    Raises:
        SegNextError: when the folder cannot be made or written to, the label set is unknown, or
            there is a `dataset.yaml` that says something else.
    """
    labels = known_labels(like, ignore)
    labels = replace(labels, name=name or labels.name)
    if folder.exists() and not folder.is_dir():
        raise SegNextError(f"{folder}: is a file; give the folder that holds the data set, or a new one")
    path = folder / "dataset.yaml"
    if path.exists():
        _require_same(path, labels)
        return path
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            temporary.write_text(to_yaml(labels), encoding="utf-8")
    except OSError as error:
        raise SegNextError(
            f"{path}: cannot be written ({error.strerror}); make the folder writable, or use a folder of your "
            "own with links to its 'images' and 'masks'"
        ) from error
    return path


def to_yaml(labels: Labels, bands: Bands | None = None) -> str:
    """The text of a `dataset.yaml`, a class per line so that people can read and edit it."""
    content = labels.to_dict()
    lines = [f"name: {_flow(content['name'])}", "classes:"]
    lines += [f"  - {_flow(entry)}" for entry in content["classes"]]
    lines.append(f"ignore: {content['ignore']}")
    lines += ["multi_label: true"] if labels.multi_label else []
    if bands is not None:
        lines.append(f"bands: {_flow(list(bands.names))}")
        lines += [f"nodata: {bands.nodata:g}"] if bands.nodata is not None else []
    return "\n".join([*lines, ""])


def survey(folder: Path, labels: Labels) -> list[Split]:
    """Count the images and masks of every split and open a few masks of each, evenly spaced by name."""
    names = {entry.name for part in ("images", "masks") for entry in _entries(folder / part) if entry.is_dir()}
    return [_survey_split(folder, name, labels) for name in sorted(names)]


def _survey_split(folder: Path, name: str, labels: Labels) -> Split:
    images = list(walk(folder / "images" / name))
    masks = [file for file in walk(folder / "masks" / name) if file.suffix.lower() == ".png"]
    sampled = masks[:: max(1, -(-len(masks) // SAMPLED_MASKS))]
    problems = (_problem(file, labels) for file in sampled)
    return Split(name, len(images), len(masks), len(sampled), tuple(filter(None, problems)))


def _problem(file: Path, labels: Labels) -> str | None:
    """What is wrong with a mask, or None."""
    try:
        found = np.unique(read_labels(file))
    except SegNextError as error:
        return str(error)
    foreign = [str(label) for label in found if label >= len(labels) and label != labels.ignore]
    if not foreign:
        return None
    shown = ", ".join(foreign[:8]) + (", ..." if len(foreign) > 8 else "")
    return f"{file}: holds {shown}, outside 0 to {len(labels) - 1} and not the ignore label {labels.ignore}"


def _require_same(path: Path, labels: Labels) -> None:
    try:
        same = Labels.from_dict(read_yaml(path), str(path)) == labels
    except SegNextError:
        same = False
    if not same:
        raise SegNextError(
            f"{path}: exists and differs from the label set '{labels.name}'; keep it, or remove it and run again"
        )


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _flow(content: object) -> str:
    """One line of YAML."""
    text = yaml.safe_dump(content, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10_000)
    return text.removesuffix("...\n").strip()
