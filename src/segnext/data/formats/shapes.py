"""What annotations as shapes have in common: their names become classes, and what is not drawn is background."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from segnext.data.alike import alike
from segnext.data.formats.classes import background_label, given_labels, made_labels, title, with_background
from segnext.data.formats.options import Options
from segnext.errors import SegNextError
from segnext.labels import Labels


@dataclass(frozen=True)
class Classes:
    """What names of annotations become.

    Attributes:
        labels: the class list.
        label_of: the label of each class name that annotations have.
        background: the label of pixels in no annotation.
        remarks: sentences that people should read.
    """

    labels: Labels
    label_of: dict[str, int]
    background: int
    remarks: tuple[str, ...] = ()


def renaming(options: Options) -> Callable[[object], str]:
    """The class name of an annotation's: without blanks at its ends, and another one where the options say so."""
    names = dict(options.rename)

    def rename(name: object) -> str:
        stripped = str(name).strip()
        return names.get(stripped, stripped)

    return rename


def shape_classes(names: Mapping[str, int], options: Options) -> Classes:
    """The class list, the label of each name, and the label of the background.

    Args:
        names: how many annotations have each class name; their order is that of the labels without a class list.
        options: class list, background, and what becomes of names that are not in the class list.

    Raises:
        SegNextError: when the class list lacks a name, and others are not ignored.
    """
    labels = given_labels(options)
    if labels is None:
        labels = made_labels(title(options.source), with_background(list(names), options))
    missing = [name for name in names if name not in labels.classes]
    if missing and options.others != "ignore":
        near = [name for name in labels.classes if alike([name, missing[0]])]
        other = f"say --rename '{missing[0]}:{near[0]}'" if near else "add it"
        raise SegNextError(
            f"{options.source}: annotates '{missing[0]}', which the class list '{labels.name}' does not have "
            f"({len(missing)} such names); {other}, or say --others ignore"
        )
    label_of = {name: labels.classes.index(name) if name in labels.classes else labels.ignore for name in names}
    return Classes(labels, label_of, background_label(labels, options), tuple(_remarks(labels, names, options)))


def _remarks(labels: Labels, names: Mapping[str, int], options: Options) -> list[str]:
    # No annotation bears the background's name, so it cannot be given another.
    groups = alike(labels.classes, {**names, options.background: 1 + sum(names.values())})
    if not groups:
        return []
    shown = "; ".join(" and ".join(f"'{name}'" for name in group) for group in groups)
    merged = ",".join(f"{name}:{group[0]}" for group in groups for name in group[1:])
    return [
        f"class names that differ in case, blanks or hyphens alone: {shown}; if they mean one class, import into "
        f"a new folder with --rename '{merged}'"
    ]
