"""The commands that mend what was found."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from segnext.data.curate.split import alone
from segnext.data.doctor.case import Case
from segnext.data.doctor.encoding import (
    Encoding,
    are_swapped,
    binary_values,
    codes,
    color_tolerance,
    grey_levels,
    has_fractions,
    is_blurred,
    main_colors,
    mixed_binary,
)
from segnext.data.doctor.scenes import by_copies, joined
from segnext.data.doctor.survey import Survey
from segnext.data.formats.class_lists import NAMES, read_class_list
from segnext.data.formats.options import FORMATS
from segnext.data.known import KNOWN, known_labels
from segnext.errors import SegNextError
from segnext.labels import Labels
from segnext.words import quoted

FEWEST_GROUPS = 2  # that cannot be divided well
LARGEST_GROUP = 0.6  # share of the pictures in one group, beyond which they cannot either
FEW_COLORS = 40  # beyond, rare colours are rather slips or blur than classes
SAME = 0.5  # intersection over union of masks of a picture, from which they are of several people
LIKELY = 0.6  # share of a label set's colours that must occur before it is suggested


def command(*words: object) -> str:
    """A command line that a shell takes apart into these words."""
    return " ".join(map(quoted, ("segnext", "data", *words)))


def import_command(case: Case, source: str = "labels", *options: str) -> str:
    """`segnext data import` of the folder into a data set of ours, with all that is known to be needed."""
    survey, known = case.survey, FORMATS[source].options
    if "classes" in known and survey.labels is not None and source in ("labels", "colors"):
        options = (*options, "--classes", str(survey.root / "dataset.yaml"))
    for name, where in (("images", survey.images), ("masks", survey.chosen_masks)):
        options = (*options, f"--{name}", where) if where is not None and name in known else options
    if names := case.band_names():
        options = (*options, "--bands", ",".join(names))
    if not case.sampled and case.unclear and "--exif" not in options and case.turned and case.turned.drawn_on:
        options = (*options, "--exif", case.turned.drawn_on)
    if case.resized():
        options = (*options, "--resize-masks", "nearest")
    return command("import", survey.root, "DEST", "--from", source, *options)


def full_import(case: Case, found: Encoding) -> str:
    """The import that mends all that has to do with the kind of masks, with names, tolerance and class list."""
    survey, labels = case.survey, case.labels
    if are_swapped(found):
        return "exchange the names of the pictures' and the masks' folders, and check again"
    if survey.pairing.several:
        return import_command(case, "objects", *(("--merge", "vote") if case.agreed > SAME else ()))
    if found.kind == "labels" and (public := public_layout(survey)):
        return import_command(case, public)
    if found.kind == "binary":
        names = ("--names", ",".join(labels.classes)) if labels and len(labels) == 2 else ()
        return import_command(case, "binary", *names)
    if found.kind == "colors":
        colors = [color for color, _ in found.colors.most_common(FEW_COLORS)]
        blurred = color_tolerance(found)
        like = None if labels else likely_set(colors)
        classes = class_list(case, colors=main_colors(found) if blurred else colors)
        return import_command(case, "colors", *(classes or (("--like", like) if like else ())), *blurred)
    if has_fractions(found):  # between 0 and 1, as a network's results: two classes
        return import_command(case, "binary")
    if mixed_binary(found)[0]:
        if found.palette:
            return import_command(case, "labels", *mapping_option({0: 0, **dict.fromkeys(binary_values(found), 1)}))
        return import_command(case, "binary", "--threshold", "1")
    if public_layout(survey) == "kitti":  # whose ids have gaps, as grey levels have
        return import_command(case, "kitti")
    if levels := grey_levels(found, len(labels) if labels else None):
        others = ("--others", "ignore") if is_blurred(found) else ()
        return import_command(case, "labels", *mapping_option(levels), *others)
    listed = class_list(case, found.solid)
    return import_command(case, "labels", *listed, *from_one(case, found))


def from_one(case: Case, found: Encoding) -> tuple[str, ...]:
    """`--offset -1` where no list of classes is known, and labels are 1, 2, ... without 0."""
    inner = sorted(found.solid - {255})
    known = case.labels or class_list(case, found.solid) or fitting_sets(found.solid)
    return ("--offset", "-1") if len(inner) > 1 and inner[0] == 1 and not known else ()


def named_masks(case: Case, masks: Sequence[Path]) -> str | None:
    """Masks as an option of the import takes them: A,B,..., without folder and suffix where that is enough.

    None where a name cannot be given so.
    """
    stems = {mask.stem for mask in masks}
    short = sum(item.mask.stem in stems for item in case.survey.items) == len(masks)
    names = sorted(stems if short else {mask.as_posix() for mask in masks})
    return None if any("," in name or name != name.strip() for name in names) else ",".join(names)


def merge_command(case: Case, groups: Sequence[Sequence[str]]) -> str | None:
    """The import that makes one class of each group of names, the first; None where masks are of single classes."""
    labels = case.labels
    if labels is None or labels.multi_label or any("," in name for name in labels.classes):
        return None
    first = {name: group[0] for group in groups for name in group}
    kept = list(dict.fromkeys(first.get(name, name) for name in labels.classes))
    mapping = {label: kept.index(first.get(name, name)) for label, name in enumerate(labels.classes)}
    options = (*mapping_option({**mapping, labels.ignore: 255}), "--names", ",".join(kept))
    return import_command(case.without_list(), "labels", *options)


def public_layout(survey: Survey) -> str | None:
    """The name by which `segnext data import` knows the layout of a public data set, if it is one."""
    folders = {part for _, mask in survey.pairing.pairs for part in mask.parent.parts}
    images = {part for image, _ in survey.pairing.pairs for part in image.parent.parts}
    if "gtFine" in folders and "leftImg8bit" in images:
        return "cityscapes"
    if "semantic" in folders and "image_2" in images:
        return "kitti"
    if "SegmentationClass" in folders and "JPEGImages" in images:
        return "voc"
    if "semantic" in folders and {"training", "image_2"} <= images:
        return "kitti"
    if {"annotations", "training"} <= folders and {"images", "training"} <= images:
        return "ade20k"
    return None


def init_command(case: Case, fitting: Sequence[str]) -> str:
    """`segnext data init` of a folder that is laid out well, with the classes of a known label set that fits."""
    return command("init", case.survey.root, "--like", fitting[0])


def split_command(case: Case, shares: str, again: bool = False) -> str:
    """`segnext data split` that keeps pictures together which belong together, as far as that is measured."""
    kind = scene_kind(case)
    grouping = ("--group-by", kind) if kind else ()
    return command("split", case.survey.root, *shares.split(), *grouping, *(("--again",) if again else ()))


def scene_kind(case: Case) -> str | None:
    """What `--group-by` must say so that no scene and no copy is divided; None where there are none."""
    if case.sampled:
        return None
    pictures = case.survey.pictures()
    copies = by_copies(pictures, (*case.exact, *case.near))
    for kind, rule in (("scene", case.scenes), ("copies", alone if case.exact or case.near else None)):
        sizes = Counter(joined(copies, rule).values()) if rule else Counter()
        if len(sizes) > FEWEST_GROUPS and max(sizes.values()) <= LARGEST_GROUP * len(pictures):
            return kind
    return None


def likely_set(colors: Iterable[int]) -> str | None:
    """The known label set that colours (0xRRGGBB) come from, if one is likely."""
    found = set(colors)
    best = (LIKELY, "")
    for name in KNOWN:
        theirs = {red << 16 | green << 8 | blue for red, green, blue in known_labels(name).colors}
        # Black is void in most sets; that of a class more or less says nothing.
        share = len(theirs & found) / len(theirs)
        if len(found - theirs - {0}) <= len(found) // 10:
            best = max(best, (share, name))
    return best[1] or None


def fitting_sets(labels: Iterable[int]) -> list[str]:
    """Known label sets whose classes and ignore label are those in use: all labels allowed, the highest class there."""
    found = set(labels)
    names = []
    for name in KNOWN:
        known = known_labels(name)
        allowed = {*range(len(known)), known.ignore}
        if found <= allowed and len(found & set(range(len(known)))) >= 0.8 * len(known):
            names.append(name)
    return names


def class_list(case: Case, labels: Iterable[int] = (), colors: Iterable[int] = ()) -> tuple[str, ...]:
    """`--classes` with an annotation tool's class list in the folder, if one names all these labels or colours."""
    for file, listed in tool_lists(case):
        if set(labels) <= {*range(len(listed)), listed.ignore} and set(colors) <= {*codes(listed)}:
            return "--classes", str(case.survey.root / file)
    return ()


def tool_lists(case: Case) -> Iterator[tuple[Path, Labels]]:
    """The class lists that annotation tools left in the folder, where there is no dataset.yaml."""
    survey = case.survey
    for file in sorted(survey.tree.others, key=lambda file: (len(file.parts), file)):
        if file.name.lower() in NAMES and survey.labels is None:
            with suppress(SegNextError):
                yield file, read_class_list(survey.root / file)


def mapping_option(mapping: Mapping[int, int]) -> tuple[str, str]:
    """`--map` of labels in the masks to classes."""
    return "--map", ",".join(f"{old}:{new}" for old, new in mapping.items())
