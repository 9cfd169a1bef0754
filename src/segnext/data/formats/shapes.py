"""Annotations as shapes: their names become classes, and what is not drawn is background."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from segnext.data.alike import alike
from segnext.data.formats.canvas import Canvas
from segnext.data.formats.classes import background_label, given_labels, made_labels, title, with_background
from segnext.data.formats.options import Options
from segnext.data.formats.rotation import Extent, require_size
from segnext.data.formats.source import Item, Problem, Reading, Source
from segnext.data.formats.splits import assign_splits
from segnext.data.masks import PairError
from segnext.errors import SegNextError
from segnext.labels import LONGEST_NAME, Labels
from segnext.words import printable

Json = dict[str, Any]
IGNORED, BACKGROUND = "__ignore__", ""  # names of shapes whose pixels are ignored, or of no class

LARGEST = 1e9  # height or width that a file may claim

# What goes wrong with values of unknown origin.
WRONG = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, OSError)


@dataclass(frozen=True)
class Shape:
    """A shape of a picture, ready to be painted.

    Attributes:
        name: of its class.
        paint: paints it on a canvas with a label.
        note: what is said of it instead, when it is not painted.
    """

    name: str
    paint: Callable[[Canvas, int], None] | None = None
    note: str = ""


@dataclass(frozen=True, eq=False)
class Drawing:
    """A picture, and what a file of annotations holds of it.

    Attributes:
        item: the picture and the file.
        shapes: the shapes in the order in which they are painted, given height and width of the mask.
        size: height and width that the file claims the picture to have, if any.
    """

    item: Item
    shapes: Callable[[int, int], Iterable[Shape]]
    size: tuple[Any, Any] = (None, None)


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


@dataclass
class Found:
    """What a format's files hold, as it is gathered.

    Attributes:
        drawings: the pictures with their shapes.
        problems: files of no use.
        names: how often each class name occurs.
        ordered: whether their order is that of the labels without a class list; else they are sorted.
        remarks: sentences that people should read.
    """

    drawings: list[Drawing] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    names: Counter[str] = field(default_factory=Counter)
    ordered: bool = False
    remarks: list[str] = field(default_factory=list)

    @contextmanager
    def reading(self, file: Path) -> Iterator[None]:
        """What says within that `file` cannot be read is among the problems, and the others are read."""
        try:
            yield
        except SegNextError as error:
            self.problems.append(Problem(file, "unreadable mask", str(error).removeprefix(f"{file}: ")))


def shapes_source(found: Found, options: Options, pictures: Sequence[Path] = (), noun: str = "shapes of") -> Source:
    """A source of what has been found; those of `pictures` that nobody annotates are among its problems.

    Raises:
        SegNextError: when nothing was found, or the class list lacks a name.
    """
    if not found.drawings:
        reasons = Counter(f"{problem.file}: {problem.reason}" for problem in found.problems if not problem.expected)
        why = f" ({next(iter(reasons))})" if reasons else ""
        raise SegNextError(f"{options.source}: there are no annotations of a picture in it{why}; give their folder")
    rename = renaming(options)
    names: Counter[str] = Counter()
    for name, count in found.names.items():
        if name.strip() not in (IGNORED, BACKGROUND):
            names[rename(name)] += count
    classes = shape_classes(names if found.ordered else dict(sorted(names.items())), options)
    classes.label_of.update({IGNORED: classes.labels.ignore, BACKGROUND: classes.background})
    drawing_of = {drawing.item.image: drawing for drawing in found.drawings}
    used = {file.resolve() for file in drawing_of}
    alone = [Problem(file, "no mask", "no annotations name it") for file in pictures if file.resolve() not in used]
    ordered = sorted((drawing.item for drawing in found.drawings), key=lambda item: item.name)
    items, more, remarks = assign_splits(ordered, options)

    def read(item: Item, extent: Extent) -> Reading:
        return _painted(drawing_of[item.image], extent, classes, rename, noun)

    problems = (*found.problems, *alone, *more)
    return Source(classes.labels, tuple(items), problems, read, (*remarks, *classes.remarks, *found.remarks))


def _painted(drawing: Drawing, extent: Extent, classes: Classes, rename: Callable[[object], str], noun: str) -> Reading:
    height, width = _size(drawing.size, extent)
    canvas = Canvas(height, width, classes.background)
    notes: Counter[str] = Counter()
    for number, drawn in enumerate(drawing.shapes(height, width)):
        name = rename(drawn.name)
        if drawn.paint is None:
            notes[drawn.note] += 1
            continue
        label = classes.label_of[name]
        try:
            drawn.paint(canvas, label)
        except PairError:
            raise
        except (*WRONG, SegNextError) as error:
            reason = str(error) or type(error).__name__
            raise PairError("bad shape", f"{drawing.item.mask}: shape {number} cannot be drawn ({reason})") from error
        if label == classes.labels.ignore and name not in (IGNORED, BACKGROUND):
            notes[f"{noun} '{name}', which no class claims, ignored"] += 1
    return Reading(canvas.labels, dict(notes))


def _size(claimed: tuple[Any, Any], extent: Extent) -> tuple[int, int]:
    """Height and width of the mask: what is claimed where the picture has it, upright or as stored.

    Raises:
        PairError: when another size is claimed.
    """
    whole = [int(side) if isinstance(side, int | float) and 1 <= side < LARGEST else 0 for side in claimed]
    if min(whole) < 1:
        return extent.height, extent.width
    require_size((whole[0], whole[1]), extent)
    return whole[0], whole[1]


def renaming(options: Options) -> Callable[[object], str]:
    """The class name of an annotation's: without blanks at its ends, and another one where the options say so."""
    names = dict(options.rename)

    def rename(name: object) -> str:
        stripped = printable(str(name).strip())[:LONGEST_NAME]
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
            f"{options.source}: annotates '{missing[0]}', which the class list {options.classes or options.like} "
            f"does not have ({len(missing)} such names); {other}, or say --others ignore"
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
