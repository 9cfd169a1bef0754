"""What the labels of a mask mean: class names, colours, and the label to ignore."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from segnext.errors import SegNextError

Color = tuple[int, int, int]


@dataclass(frozen=True)
class Labels:
    """Label i means `classes[i]`, painted in `colors[i]` (RGB).

    Pixels labelled `ignore` count neither in the loss nor in the metrics.
    """

    name: str
    classes: tuple[str, ...]
    colors: tuple[Color, ...]
    ignore: int = 255

    def __len__(self) -> int:
        return len(self.classes)

    def to_dict(self) -> dict[str, Any]:
        """The content of a `dataset.yaml`."""
        classes = [{"name": name, "color": list(color)} for name, color in zip(self.classes, self.colors, strict=True)]
        return {"name": self.name, "classes": classes, "ignore": self.ignore}

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
            raise SegNextError(f"{source}: class names must be present and unique; rename the repeated ones")
        if not 0 <= ignore <= 255:
            raise SegNextError(f"{source}: 'ignore' is {ignore}; it must be a label from 0 to 255")
        if ignore < len(classes):
            raise SegNextError(
                f"{source}: 'ignore' is {ignore}, the label of class '{classes[ignore]}'; "
                f"use a label from {len(classes)} to 255"
            )
        return cls(name, classes, colors, ignore)


def _color(value: Any) -> Color:
    red, green, blue = (int(channel) for channel in value)
    if not all(0 <= channel <= 255 for channel in (red, green, blue)):
        raise ValueError(f"colour {value} is outside 0..255")
    return red, green, blue
