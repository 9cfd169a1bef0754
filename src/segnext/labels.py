"""What the labels of a mask mean: class names, colours, and the label to ignore."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from segnext.documents import shown
from segnext.errors import SegNextError

Color = tuple[int, int, int]
UNNAMED = "dataset"  # the name of a class list that has none
LONGEST_NAME = 200  # letters of a class's
IGNORED = "ignore"  # IGNORED.png marks the pixels that do not count, beside the masks of multi-label classes


@dataclass(frozen=True)
class Labels:
    """Label i means `classes[i]`, painted in `colors[i]` (RGB).

    Pixels labelled `ignore` count neither in the loss nor in the metrics. With `multi_label`, each class has a mask of
    its own, and a pixel may be of any number of classes or of none.
    """

    name: str
    classes: tuple[str, ...]
    colors: tuple[Color, ...]
    ignore: int = 255
    multi_label: bool = False

    def __len__(self) -> int:
        return len(self.classes)

    def to_dict(self) -> dict[str, Any]:
        """The content of a `dataset.yaml`."""
        classes = [{"name": name, "color": list(color)} for name, color in zip(self.classes, self.colors, strict=True)]
        kind = {"multi_label": True} if self.multi_label else {}
        return {"name": self.name, "classes": classes, "ignore": self.ignore, **kind}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any], source: str) -> "Labels":
        """Read the content of a `dataset.yaml`; `source` names it in error messages."""
        entries = content.get("classes") if isinstance(content, Mapping) else None
        if not isinstance(entries, list):
            raise SegNextError(
                f"{source}: cannot read the class list; it needs 'classes: [{{name: ..., color: [r, g, b]}}, ...]' or "
                "'classes: [NAME, ...]', and 'ignore: LABEL'"
            )
        classes = tuple(_name(entry, source) for entry in entries)
        colors = tuple(_color(entry, label, source) for label, entry in enumerate(entries))
        ignore, name = content.get("ignore", 255), content.get("name", UNNAMED)
        if isinstance(ignore, bool) or not isinstance(ignore, int):
            raise SegNextError(f"{source}: 'ignore' is {shown(ignore)}; it must be a label from 0 to 255")
        if not isinstance(name, str | int | float):
            raise SegNextError(f"{source}: 'name' is {shown(name)}; it must be a text")
        name = str(name)
        if len(set(classes)) != len(classes) or not classes:
            raise SegNextError(
                f"{source}: class names must be present and unique; rename the repeated ones (where they are colours "
                "of one class, 'segnext data import --from colors --classes FILE' merges them)"
            )
        if not 0 <= ignore <= 255:
            raise SegNextError(f"{source}: 'ignore' is {shown(ignore)}; it must be a label from 0 to 255")
        if ignore < len(classes):
            offset = "; where masks count classes from 1, 'segnext data import --from labels --offset -1' shifts them"
            raise SegNextError(
                f"{source}: 'ignore' is {ignore}, the label of class '{classes[ignore]}'; "
                f"use a label from {len(classes)} to 255{offset if ignore == 0 else ''}"
            )
        multi_label = content.get("multi_label", False)
        if not isinstance(multi_label, bool):
            raise SegNextError(f"{source}: 'multi_label' is {shown(multi_label)}; it must be true or false")
        if multi_label:
            _require_file_names(classes, ignore, source)
        return cls(name, classes, colors, ignore, multi_label)


def _require_file_names(classes: tuple[str, ...], ignore: int, source: str) -> None:
    """Of multi-label data every class has files of its own, CLASS.png, beside ignore.png."""
    for name in classes:
        if name.startswith(".") or any(letter in name for letter in '/\\:*?"<>|') or name.lower() == IGNORED:
            raise SegNextError(f"{source}: class '{name}' cannot be the name of a file, {name}.png; rename it")
    if len({name.lower() for name in classes}) < len(classes):
        raise SegNextError(f"{source}: class names differ in capital letters alone, and are file names; rename some")
    if ignore < 2:
        raise SegNextError(f"{source}: 'ignore' is {ignore}; of multi-label masks it must be from 2 to 255")


def _name(entry: Any, source: str) -> str:
    """The name of an entry of `classes`: the entry itself, or what it has under `name`."""
    name = entry.get("name") if isinstance(entry, Mapping) else entry
    if not isinstance(name, str) or not name:
        raise SegNextError(
            f'{source}: a class is called {shown(name)}; names are texts: put it in quotes (name: "1"), or give the '
            "one that is missing"
        )
    if not name.isprintable() or len(name) > LONGEST_NAME:
        raise SegNextError(f"{source}: the class name {shown(name)} is too long or cannot be printed; rename it")
    return name


def _color(entry: Any, label: int, source: str) -> Color:
    """The colour of an entry of `classes`, or a distinct one where it has none."""
    value = entry.get("color") if isinstance(entry, Mapping) else None
    if value is None:
        return distinct_color(label)
    whole = isinstance(value, list | tuple) and len(value) == 3 and all(type(channel) is int for channel in value)
    if not whole or not all(0 <= channel <= 255 for channel in value):
        raise SegNextError(f"{source}: a class's color is {shown(value)}; it must be [red, green, blue], each 0 to 255")
    return value[0], value[1], value[2]


def distinct_color(label: int) -> Color:
    """Spread the label's bits over the high bits of red, green and blue, as the VOC palette does."""
    channels = [0, 0, 0]
    for bit in range(8):
        for channel in range(3):
            channels[channel] |= (label >> (3 * bit + channel) & 1) << (7 - bit)
    return channels[0], channels[1], channels[2]
