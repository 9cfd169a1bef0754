"""Which mask belongs to which picture, whatever the folders and names.

Every set of files that may be pictures is tried with every set that may be masks, by every rule for names; a try is
worth the share that it pairs. The best is taken, then those that pair what it leaves. Sets of masks that fit the same
pictures are a choice; masks of single objects or classes are several of one picture.
"""

import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np

from segnext.data.file_sets import ALONE, BARE, CORE, EQUAL, MOST, FileSet, Key, file_sets, fits, role_of_all
from segnext.data.names import Role, bare_stem, parts_of, role_of, role_word, split_of, stem_of, tokens
from segnext.errors import SegNextError
from segnext.imageio import read_image

Looks = Callable[[Path], float]  # how much a file looks like a mask, 0 to 1
Groups = dict[Path, list[tuple[str, Path]]]  # of each picture its masks, with what their names say beside its own

ONE = (EQUAL, BARE, CORE, ALONE)  # rules that give a picture one mask, the surest first
BEGIN, FOLDER, CLASSES, ONLY = (
    "names that begin with a picture's",
    "folders of its name",
    "folders of classes",
    "folder",
)
NUMBERS = "numbers in names"
MANY = (BEGIN, CLASSES, FOLDER, ONLY, NUMBERS)
FLATTER = 0.15  # by which masks must look more like masks than pictures do, where names say nothing
_NUMBER = re.compile(r"[ _\-]\d+$")
_LOSSY, _LOSSLESS = {".jpg", ".jpeg"}, {".png", ".bmp", ".gif", ".tif", ".tiff"}


@dataclass
class Try:
    """One way to pair: a set of pictures, a set of masks, a rule for their names, and what it pairs.

    Attributes:
        images: the pictures.
        masks: the masks.
        rule: how names are compared.
        groups: the masks of each picture.
        worth: what tries are ordered by.
    """

    images: FileSet
    masks: FileSet
    rule: str
    groups: Groups
    worth: float

    def __str__(self) -> str:
        total = len(self.images.places.keys() - self.masks.places.keys())
        return f"{self.images.name} with {self.masks.name} by {self.rule}: {len(self.groups):,} of {total:,}"


@dataclass
class Pairing:
    """Pictures and masks by name; all paths are relative to the data set's folder.

    Attributes:
        pairs: a picture and its mask.
        images: pictures without a mask.
        masks: masks without a picture.
        aside: pictures that are neither, for example predictions.
        same_stem: pictures that share one name but for the suffix; one of them is paired.
        same_mask: masks that share one name but for the suffix; one of them is paired.
        many_masks: further masks of a picture that has one already.
        groups: all masks of each picture that has any, with what names them beside it.
        several: those of them that have several: a mask for each object or class.
        choices: sets of masks that fit the pictures equally well, and how many each fits; the first is in `pairs`.
        tries: the best two ways to pair that were tried, in words.
    """

    pairs: list[tuple[Path, Path]] = field(default_factory=list)
    images: list[Path] = field(default_factory=list)
    masks: list[Path] = field(default_factory=list)
    aside: list[Path] = field(default_factory=list)
    same_stem: list[tuple[Path, ...]] = field(default_factory=list)
    same_mask: list[tuple[Path, ...]] = field(default_factory=list)
    many_masks: list[Path] = field(default_factory=list)
    groups: Groups = field(default_factory=dict)
    several: Groups = field(default_factory=dict)
    choices: list[tuple[str, int]] = field(default_factory=list)
    tries: list[str] = field(default_factory=list)


def pair(
    files: Iterable[Path], images_in: str | None = None, masks_in: str | None = None, looks: Looks | None = None
) -> Pairing:
    """Pair pictures with masks.

    Args:
        files: relative to the data set's folder.
        images_in: where the pictures are, if it is known: a folder, a folder's name, or a pattern such as "*_rgb.png".
        masks_in: the same of the masks.
        looks: tells masks from pictures where names do not.
    """
    given: dict[Path, Role] = {}
    files = list(files)
    for where, role in ((images_in, Role.IMAGE), (masks_in, Role.MASK)):
        given |= {file: role for file in files if where is not None and fits(file, where)}
    aside = set(_aside(files, given))
    aside = aside if len(aside) < len(files) else set()
    left = [file for file in files if file not in aside]
    known = set(given.values())
    sets = [entry for entry in file_sets(left, given) if not known or _agrees(entry, given, known)]
    tries = _tries(sets, len(left), looks)
    result = Pairing(aside=sorted(aside))
    _take(result, left, tries)
    _sort_rest(result, left, given, tries[:1])
    others = [entry for entry in tries[1:] if entry.masks.places.keys() != tries[0].masks.places.keys()]
    result.tries = [str(entry) for entry in (*tries[:1], *others[:1])]
    return result


def _agrees(entry: FileSet, given: dict[Path, Role], known: set[Role]) -> bool:
    """Whether a set may be used beside what is given: no other masks where masks are, no other pictures."""
    some = next(iter(entry.places))
    return some in given or (len(known) == 1 and entry.role not in known)


def _aside(files: list[Path], given: dict[Path, Role]) -> Iterator[Path]:
    """Predictions, drawings, instance masks, and fields of view beside labels drawn by hand."""
    by_hand = {file.parent.parent for file in files if "manual" in parts_of(file.parent.name)[0].split()}
    for file in [file for file in files if file not in given]:
        view = file.parent.parent in by_hand and parts_of(file.parent.name)[0] in ("mask", "masks")
        if view or any(role_of(part) is Role.OTHER for part in file.parent.parts):
            yield file


def _tries(sets: list[FileSet], files: int, looks: Looks | None) -> list[Try]:
    """Every set of pictures with every set of masks by every rule that pairs some, the best first.

    Once a rule leaves none of the `files`, weaker ones are not tried.
    """
    images = [entry for entry in sets if entry.role in (Role.IMAGE, Role.UNKNOWN)]
    masks = [entry for entry in sets if entry.role in (Role.MASK, Role.UNKNOWN)]
    found: list[Try] = []
    for rank, rule in enumerate((*ONE, *MANY)):
        for image, mask in product(images, masks):
            if image is not mask and (entry := _try(image, mask, rule, rank)) and _is_told(entry, looks):
                found.append(entry)
        if any(2 * len(entry.groups) == files for entry in found):
            break
    return sorted(found, key=lambda entry: (-entry.worth, entry.masks.name, entry.images.name))


def _try(images: FileSet, masks: FileSet, rule: str, rank: int) -> Try | None:
    """What a rule pairs of two sets, and what that is worth; None for nothing."""
    alone = len(images.places.keys() - masks.places.keys())
    groups = _groups(images, masks, rule) if alone else {}
    if not groups:
        return None
    reached = len(groups) + sum(map(len, groups.values()))
    share = reached / (alone + len(masks.places))
    known = 0.1 * (images.role is Role.IMAGE) + 0.1 * (masks.role is Role.MASK) + 0.005 * ("/" in masks.name)
    kin = 0.02 * bool({*tokens(images.name)} & {*tokens(masks.name)})  # a/ with a_masks/ before b_masks/
    return Try(images, masks, rule, groups, reached * share * (1 + known + kin - 0.03 * rank - _unlikely(masks)))


def _groups(images: FileSet, masks: FileSet, rule: str) -> Groups:
    """The masks of each picture by a rule, in order."""
    if rule in MANY:
        return _many(images, masks, rule) if masks.role is Role.MASK and not masks.word else {}
    left, right = images.by(rule), masks.by(rule)
    found: Groups = {}
    for key in left.keys() & right.keys():
        image = min((file for file in left[key] if file not in masks.places), key=_preference, default=None)
        mask = min((file for file in right[key] if file not in left[key]), key=_preference, default=None)
        if image is not None and mask is not None and len({stem_of(file) for file in left[key]}) == 1:
            found[image] = [("", mask)]
    return found


def _many(images: FileSet, masks: FileSet, rule: str) -> Groups:
    """Masks of objects or classes: by names that go on behind a picture's, or by their folders."""
    if rule == NUMBERS:
        return _by_number(images, masks)
    pictures: dict[Key, Path] = {}
    for named in (BARE, EQUAL):
        pictures |= {key: min(files) for key, files in images.by(named).items()}
    only: dict[tuple[str, ...], list[Path]] = defaultdict(list)
    for file, place in images.places.items():
        only[place].append(file)
    found: Groups = defaultdict(list)
    for mask, place in sorted(masks.places.items()):
        stem = stem_of(mask)
        keys: list[tuple[Key, str]] = []
        if rule == BEGIN and role_word(stem)[1] is Role.UNKNOWN:
            ends = [end for end in range(len(stem), 0, -1) if end == len(stem) or not stem[end].isalnum()]
            keys = [((place, stem[:end]), stem[end:].strip(" _.-()")) for end in ends]
        elif rule == CLASSES and place:
            keys = [((place[:-1], stem), place[-1])]
        elif rule == FOLDER and place:
            keys = [((place[:-1], place[-1]), stem)]
        picture = next(((pictures[key], what) for key, what in keys if key in pictures), None)
        if rule == ONLY and len(only[place]) == 1:
            picture = only[place][0], stem
        if picture and picture[0] != mask and (rule == CLASSES or bare_stem(stem) != bare_stem(stem_of(picture[0]))):
            found[picture[0]].append((picture[1], mask))
    return dict(found) if any(len(group) > 1 for group in found.values()) else {}


def _by_number(images: FileSet, masks: FileSet) -> Groups:
    """Masks that agree with pictures in nothing but one of the numbers in their names: task-7-tag-crack-0 with p7."""
    pictures = images.places.keys() - masks.places.keys()
    numbered = {int(digits[-1]): file for file in pictures if (digits := re.findall(r"\d+", stem_of(file)))}
    if len(numbered) < max(2, len(pictures)):
        return {}
    digits_of = {mask: [int(text) for text in re.findall(r"\d+", stem_of(mask))] for mask in sorted(masks.places)}
    words_of = {mask: re.findall(r"[^\W\d_]+", stem_of(mask)) for mask in digits_of}
    shared = set.intersection(*map(set, words_of.values()))
    for place in range(min(map(len, digits_of.values()))):
        if {digits[place] for digits in digits_of.values()} == numbered.keys():
            found: Groups = defaultdict(list)
            for mask, digits in digits_of.items():
                what = " ".join(word for word in words_of[mask] if word not in shared)
                found[numbered[digits[place]]].append((what, mask))
            return dict(found)
    return {}


def _is_told(entry: Try, looks: Looks | None) -> bool:
    """Whether sets are pictures and masks; where names say nothing, most must pair, and look so or end so."""
    images, masks = entry.images, entry.masks
    if images.role is Role.IMAGE or masks.role is Role.MASK:
        return True
    pictures = sorted(images.places.keys() - masks.places.keys())
    if 2 * len(entry.groups) <= len(pictures):
        return False
    if looks is not None:
        parts = [files[:: max(1, len(files) // 3)][:3] for files in (pictures, sorted(masks.places))]
        one, two = (sum(map(looks, part)) / len(part) for part in parts)
        if abs(two - one) > FLATTER:
            return two > one
    suffixes = [{file.suffix.lower() for file in files} for files in (pictures, masks.places)]
    return suffixes[0] <= _LOSSY and suffixes[1] <= _LOSSLESS


def _unlikely(masks: FileSet) -> float:
    """Less for train ids than for ids, for ids than for anything else, most for drawings: the last to be chosen."""
    order = ("labeltrainids", "labelids", "label", "mask")
    name = masks.name.casefold()
    rank = next((index for index, word in enumerate(order) if word in name), len(order))
    return 0.001 * rank + 0.05 * is_drawn(name)


def is_drawn(name: str) -> bool:
    """Whether a name says that masks are there to be looked at, or are of instances."""
    return any(word in name.casefold() for word in ("color", "colour", "rgb", "instance"))


def _preference(file: Path) -> tuple[bool, str]:
    """Plain label PNGs before others, where one picture has several masks."""
    return file.suffix.lower() != ".png", str(file)


def _take(result: Pairing, files: list[Path], tries: list[Try]) -> None:
    """Fill in the pairs of the best try and of those that pair what is left; note what fits the same pictures."""
    masks_of: Groups = {}
    used: set[Path] = set()
    more: list[Path] = []
    first = tries[0] if tries else None
    for entry in tries:
        free = {
            image: [part for part in parts if part[1] not in used and part[1] not in masks_of]
            for image, parts in entry.groups.items()
            if image not in used
        }
        new = {image: parts for image, parts in free.items() if parts and image not in masks_of}
        again = [mask for image, parts in free.items() if image in masks_of for _, mask in parts]
        assert first is not None
        same = first.images is entry.images and first.masks is entry.masks
        if len(again) >= MOST * len(entry.masks.places):
            used |= {*again}
            if entry.masks.role is not Role.MASK:
                result.aside += again
                continue
            more += again
            fitting = sum(image in first.groups and bool(parts) for image, parts in free.items())
            if 2 * fitting >= len(first.groups) and not is_drawn(entry.masks.name):
                result.choices = result.choices or [(first.masks.name, len(first.groups))]
                result.choices.append((entry.masks.name, fitting))
        sure = len(new) > 1 or (entry.images.role is Role.IMAGE and entry.masks.role is Role.MASK)
        if same or again or (sure and 2 * len(new) >= _fewer_left(entry, masks_of, used)):
            masks_of |= new
            used |= {mask for parts in new.values() for _, mask in parts}
            _note_equal(result, entry, new)
    _go_on(masks_of, used, files)
    result.pairs = sorted((image, parts[0][1]) for image, parts in masks_of.items())
    result.groups = masks_of
    result.several = {image: parts for image, parts in masks_of.items() if len(parts) > 1}
    result.many_masks = sorted([*more, *(mask for parts in result.several.values() for _, mask in parts[1:])])


def _go_on(masks_of: Groups, used: set[Path], files: Iterable[Path]) -> None:
    """Give pictures the masks whose names go on with a number behind that of theirs: a_mask.png, a_mask_1.png."""
    image_of = {(mask.parent, stem_of(mask)): image for image, parts in masks_of.items() for _, mask in parts}
    for file in files:
        ends = _NUMBER.search(stem_of(file))
        image = image_of.get((file.parent, stem_of(file)[: ends.start()])) if ends else None
        if ends and image is not None and image != file and file not in used and file not in masks_of:
            masks_of[image].append((ends[0].strip(" _-"), file))
            used.add(file)


def _fewer_left(entry: Try, masks_of: Groups, used: set[Path]) -> int:
    """How many files the smaller set has that are not paired yet."""
    images = entry.images.places.keys() - masks_of.keys() - used - entry.masks.places.keys()
    return min(len(images), len(entry.masks.places.keys() - used - masks_of.keys()))


def _note_equal(result: Pairing, entry: Try, new: Groups) -> None:
    """Files of the taken sets that have a partner's name but for the suffix."""
    if entry.rule not in ONE:
        return
    partners = {mask for parts in new.values() for _, mask in parts} | new.keys()
    for files, groups in ((entry.images, result.same_stem), (entry.masks, result.same_mask)):
        other = entry.masks.places if files is entry.images else {}
        for group in files.by(entry.rule).values():
            alike = tuple(sorted(file for file in group if file not in other or file in partners))
            if len(alike) > 1 and partners & {*alike}:
                groups.append(alike)


def _sort_rest(result: Pairing, files: list[Path], given: dict[Path, Role], best: list[Try]) -> None:
    """Say of what was not paired whether it is a picture, a mask or something else."""
    equal = {file for group in (*result.same_stem, *result.same_mask) for file in group}
    done = {file for both in result.pairs for file in both} | {*result.many_masks, *result.aside} | equal
    first = best[0] if best else None
    for file in [file for file in files if file not in done]:
        role = given.get(file) or role_of_all([file])
        role = _role_of_name(file) if role is Role.UNKNOWN else role
        in_masks = first is not None and file in first.masks.places
        in_images = first is not None and file in first.images.places
        if role in given.values() and file not in given:  # other masks than those that were meant
            result.aside.append(file)
        elif role is Role.MASK or (in_masks and role is Role.UNKNOWN):
            result.masks.append(file)
        elif role is Role.IMAGE or (role is Role.UNKNOWN and (in_images or split_of(file.parent.name))):
            result.images.append(file)
        else:
            result.aside.append(file)
    for rest in (result.images, result.masks, result.aside):
        rest.sort()


def _role_of_name(file: Path) -> Role:
    """What a file's own name says at its ends."""
    stem = stem_of(file)
    words = {role_of(word) for word in (stem.rpartition("_")[2], stem.partition("_")[0])} if "_" in stem else set()
    return Role.OTHER if Role.OTHER in words else role_word(stem)[1]


def mask_likeness(root: Path) -> Looks:
    """How few colours a picture below `root` has, where masks have few and photographs thousands: 0 to 1."""

    @cache
    def looks(file: Path) -> float:
        try:
            picture = read_image(root / file)
        except SegNextError:
            return 0.5
        rows, columns = (np.linspace(0, side - 1, min(side, 96)).astype(int) for side in picture.shape[:2])
        colors = picture[rows][:, columns].reshape(-1, 3).astype(np.int32) @ np.array([1 << 16, 1 << 8, 1])
        return max(0.0, 1 - math.log2(len(np.unique(colors))) / 10)

    return looks


def require_some(root: Path, files: Iterable[Path], images: str | None, masks: str | None) -> None:
    """Refuse what was given for pictures or masks where no file is there.

    Raises:
        SegNextError: saying where it was looked for.
    """
    for flag, where in (("--images", images), ("--masks", masks)):
        if where is not None and not any(fits(file, where) for file in files):
            raise SegNextError(
                f"{root}: no such folder with pictures: '{where}'; name a folder inside it by {flag}, or a pattern "
                "such as '*_mask.png'"
            )
