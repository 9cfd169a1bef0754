"""What the labels of a mask mean: class names, colours, and the label to ignore."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from segnext.errors import SegNextError

Color = tuple[int, int, int]
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
        try:
            entries = list(content["classes"])
            classes = tuple(str(entry["name"]) for entry in entries)
            colors = tuple(_color(entry["color"]) for entry in entries)
            ignore = int(content.get("ignore", 255))
            name = str(content.get("name", "dataset"))
        except (KeyError, TypeError, ValueError) as error:
            raise SegNextError(
                f"{source}: cannot read the class list ({type(error).__name__}: {error}); it needs "
                "'classes: [{name: ..., color: [r, g, b]}, ...]' and 'ignore: LABEL'"
            ) from error
        if len(set(classes)) != len(classes) or not classes:
            raise SegNextError(
                f"{source}: class names must be present and unique; rename the repeated ones (where they are colours "
                "of one class, 'segnext data import --from colors --classes FILE' merges them)"
            )
        if not 0 <= ignore <= 255:
            raise SegNextError(f"{source}: 'ignore' is {ignore}; it must be a label from 0 to 255")
        if ignore < len(classes):
            raise SegNextError(
                f"{source}: 'ignore' is {ignore}, the label of class '{classes[ignore]}'; "
                f"use a label from {len(classes)} to 255"
            )
        multi_label = content.get("multi_label", False)
        if not isinstance(multi_label, bool):
            raise SegNextError(f"{source}: 'multi_label' is {multi_label!r}; it must be true or false")
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


def _color(value: Any) -> Color:
    red, green, blue = (int(channel) for channel in value)
    if not all(0 <= channel <= 255 for channel in (red, green, blue)):
        raise ValueError(f"colour {value} is outside 0..255")
    return red, green, blue
