"""What annotations as shapes have in common: their names become classes, and what is not drawn is background."""

from collections.abc import Sequence

from segnext.data.importers.classes import background_label, given_labels, made_labels, title, with_background
from segnext.data.importers.options import Options
from segnext.errors import SegNextError
from segnext.labels import Labels


def shape_classes(names: Sequence[str], options: Options) -> tuple[Labels, dict[str, int], int]:
    """The class list, the label of each name, and the label of the background.

    Args:
        names: names of the annotations in the order of the labels that they get without a class list.
        options: class list, background, and what becomes of names that are not in the class list.

    Raises:
        SegNextError: when the class list lacks a name, and others are not ignored.
    """
    labels = given_labels(options)
    if labels is None:
        labels = made_labels(title(options.source), with_background(names, options))
    missing = [name for name in names if name not in labels.classes]
    if missing and options.others != "ignore":
        raise SegNextError(
            f"{options.source}: annotates '{missing[0]}', which the class list '{labels.name}' does not have "
            f"({len(missing)} such names); add it, or say --others ignore"
        )
    label_of = {name: labels.classes.index(name) if name in labels.classes else labels.ignore for name in names}
    return labels, label_of, background_label(labels, options)
