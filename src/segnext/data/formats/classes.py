"""The class list of an import: from a dataset.yaml, a known label set, or made up."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from segnext.bands import bands_from_dict
from segnext.data.formats.class_lists import class_list_content
from segnext.data.formats.options import Options
from segnext.data.known import known_labels, labels_for_count
from segnext.documents import read_yaml
from segnext.errors import SegNextError
from segnext.labels import UNNAMED, Color, Labels
from segnext.preprocess import Bands

DERIVE = "derive"
MOST_CLASSES = 255  # labels 0 to 254, and 255 to ignore
_SPREAD = labels_for_count(256).colors  # 256 is no public label set: colours spread over RGB


def given_labels(options: Options) -> Labels | None:
    """The class list that the options name; None when they name none, or "derive".

    Raises:
        SegNextError: when it cannot be read, or two are named.
    """
    if options.like and options.classes:
        raise SegNextError("--like and --classes both name a class list; give one of them")
    if options.like:
        return known_labels(options.like)
    if not options.classes or options.classes == DERIVE:
        return None
    return Labels.from_dict(*_content(options.classes))


def given_colors(options: Options) -> tuple[Labels | None, tuple[tuple[Color, int], ...]]:
    """The class list, where a repeated name means one class, and the label of each further colour of a class.

    Raises:
        SegNextError: when it cannot be read, or two are named.
    """
    if options.like or not options.classes or options.classes == DERIVE:
        return given_labels(options), ()
    content, file = _content(options.classes)
    entries = content.get("classes") if isinstance(content, dict) else None
    if not isinstance(entries, list) or not entries:
        return Labels.from_dict(content, file), ()  # which says what is wrong
    single = [Labels.from_dict({"classes": [entry]}, file) for entry in entries]
    first: dict[str, Any] = {}
    for one, entry in zip(single, entries, strict=True):
        first.setdefault(one.classes[0], entry)
    labels = Labels.from_dict({**content, "classes": list(first.values())}, file)
    colors = [(one.colors[0], labels.classes.index(one.classes[0])) for one in single]
    return labels, tuple((color, label) for color, label in colors if color != labels.colors[label])


def given_bands(options: Options) -> Bands | None:
    """The bands that the options name, else those of the class list's file; None for 8-bit RGB pictures.

    Raises:
        SegNextError: when the file cannot be read, or the bands are not names that differ.
    """
    if options.bands is not None or options.nodata is not None:
        names = None if options.bands is None else list(options.bands)
        return bands_from_dict({"bands": names, "nodata": options.nodata}, "--bands and --nodata")
    if not options.classes or options.classes == DERIVE:
        return None
    return bands_from_dict(*_content(options.classes))


def _content(name: str) -> tuple[dict[str, Any], str]:
    """What a dataset.yaml holds, or a tool's class list would as one, and its path for error messages."""
    path = Path(name)
    if path.suffix.lower() in (".csv", ".txt", ".json"):
        return class_list_content(path), name
    file = path / "dataset.yaml" if path.is_dir() else path
    return read_yaml(file), str(file)


def made_labels(name: str, classes: Sequence[str], colors: Sequence[Color] | None = None) -> Labels:
    """A class list of these names, in colours of their own, or well-spread ones.

    Args:
        name: what the masks are called in error messages.
        classes: the names.
        colors: theirs.

    Raises:
        SegNextError: when there are none, too many, or two of one name.
    """
    if not classes:
        raise SegNextError(f"{name}: no class was found in the masks; check --from and the folders")
    if len(classes) > MOST_CLASSES:
        raise SegNextError(
            f"{name}: {len(classes)} classes are more than the {MOST_CLASSES} that an 8-bit mask can hold; "
            "name the ones to keep with --classes FILE"
        )
    if len(set(classes)) != len(classes):
        twice = next(entry for entry in classes if classes.count(entry) > 1)
        raise SegNextError(f"{name}: two classes are called '{twice}'; give a class list with --classes FILE")
    return Labels(UNNAMED, tuple(classes), tuple(colors or _SPREAD[: len(classes)]), 255)


def with_background(names: Sequence[str], options: Options) -> list[str]:
    """Class names of drawn shapes, led by the background's unless it is ignored or one of them."""
    if options.background == "ignore" or options.background in names:
        return list(names)
    return [options.background, *names]


def background_label(labels: Labels, options: Options) -> int:
    """Label of the pixels in no shape.

    Raises:
        SegNextError: when the class list has no such class.
    """
    if options.background == "ignore":
        return labels.ignore
    if options.background not in labels.classes:
        raise SegNextError(
            f"the class list has no class '{options.background}' for pixels in no shape; say "
            "--background CLASS, or --background ignore"
        )
    return labels.classes.index(options.background)


def title(source: Path) -> str:
    """A data set's name from its folder's."""
    return source.resolve().stem or UNNAMED
