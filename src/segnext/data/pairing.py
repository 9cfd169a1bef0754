"""Which mask belongs to which picture, whatever the folders and names."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from segnext.data.names import Role, bare_stem, is_mask_stem, place_of, role_of, stem_of, tokens

Key = tuple[tuple[str, ...], str]
Places = dict[Path, tuple[str, ...]]


@dataclass
class Pairing:
    """Pictures and masks by name; all paths are relative to the data set's folder.

    Attributes:
        pairs: a picture and its mask.
        images: pictures without a mask.
        masks: masks without a picture.
        aside: pictures that are neither, for example predictions.
        same_stem: pictures that share one name but for the suffix; one of them is paired.
        same_mask: masks that share one name but for the suffix or the folder's; one of them is paired.
        many_masks: further masks of a picture that has one already.
    """

    pairs: list[tuple[Path, Path]] = field(default_factory=list)
    images: list[Path] = field(default_factory=list)
    masks: list[Path] = field(default_factory=list)
    aside: list[Path] = field(default_factory=list)
    same_stem: list[tuple[Path, ...]] = field(default_factory=list)
    same_mask: list[tuple[Path, ...]] = field(default_factory=list)
    many_masks: list[Path] = field(default_factory=list)


def pair(files: Iterable[Path], images_in: Path | None = None, masks_in: Path | None = None) -> Pairing:
    """Pair pictures with masks; `images_in` and `masks_in` name their folders where names do not tell.

    Files are told apart by their folders' names (images, masks, JPEGImages, gtFine, trainannot, ...), else by
    their own ("a_mask.png" beside "a.jpg"), else by a folder of equal names beside the masks'. A picture and its
    mask agree in what is left of their folders and in their stems; what finds no partner so is tried without
    words such as "_mask", then without numbers in the names of their folders, then without what all names of a folder
    begin or end with, then without zeros before numbers, then by a stem that occurs but once.
    """
    result = Pairing()
    images, masks, unknown, result.aside = _sort(list(files), images_in, masks_in)
    if not masks or not images:
        _tell_apart(images, masks, unknown)
    if images_in is None or masks_in is None:
        _adopt_neighbours(images, masks, unknown)
    result.aside += unknown
    image_keys, mask_keys = _keyed(images, result.same_stem), _keyed(masks, result.same_mask)
    result.many_masks = sorted(set(masks) - set(mask_keys.values()))
    for normal in (_as_is, _bare, _without_numbers, _without_common, _without_zeros, _stem_alone):
        _match(result, image_keys, mask_keys, normal)
    paired = {image for image, _ in result.pairs}
    result.pairs.sort()
    result.images = sorted(set(image_keys.values()) - paired)
    taken = {mask for _, mask in result.pairs}
    spare = [file for file in mask_keys.values() if file not in taken]
    # A mask is one more of the same picture when its name continues that of a picture which has one.
    stems = {(images[image], stem) for image, _ in result.pairs for stem in (stem_of(image), bare_stem(stem_of(image)))}
    stems |= {(masks[mask], bare_stem(stem_of(mask))) for mask in taken}
    more = {mask for mask in spare if _continues(masks[mask], stem_of(mask), stems)}
    result.many_masks = sorted({*result.many_masks, *more})
    result.masks = sorted(set(spare) - more)
    _set_aside(result)
    return result


def _set_aside(result: Pairing) -> None:
    """Take further masks and drawings that lie beside a picture and its mask, called like it, for no pictures."""
    stems: dict[Path, set[str]] = defaultdict(set)
    for image, mask in result.pairs:
        if image.parent == mask.parent:
            stems[image.parent] |= {image.stem, bare_stem(image.stem)}
    for image in [image for image in result.images if image.parent in stems]:
        ends = [
            end
            for end, letter in enumerate(image.stem)
            if not letter.isalnum() and image.stem[:end] in stems[image.parent]
        ]
        more = image.stem[max(ends) :] if ends else ""
        if any(letter.isalpha() for letter in more):
            result.images.remove(image)
            (result.many_masks if is_mask_stem("x" + more.rstrip("_-0123456789")) else result.aside).append(image)


def _sort(
    files: list[Path], images_in: Path | None, masks_in: Path | None
) -> tuple[Places, Places, list[Path], list[Path]]:
    """Images and masks with their places, files of unknown role, and what lies aside."""
    stems: dict[Path, set[str]] = defaultdict(set)
    for file in files:
        stem = stem_of(file)
        stems[file.parent] |= {stem} if is_mask_stem(stem) else {stem, bare_stem(stem)}
    images: Places = {}
    masks: Places = {}
    unknown: list[Path] = []
    aside: list[Path] = []
    by_hand = {file.parent.parent for file in files if "manual" in tokens(file.parent.name)}
    for file in files:
        role, stem = role_of(file), stem_of(file)
        if masks_in is None and file.parent.parent in by_hand and tokens(file.parent.name) in (["mask"], ["masks"]):
            aside.append(file)  # the field of view, where the labels are manual
        elif masks_in is not None and file.is_relative_to(masks_in):
            masks[file] = place_of(file.relative_to(masks_in), Role.UNKNOWN)
        elif images_in is not None and file.is_relative_to(images_in):
            images[file] = place_of(file.relative_to(images_in), Role.UNKNOWN)
        elif masks_in is None and (role is Role.MASK or (is_mask_stem(stem) and bare_stem(stem) in stems[file.parent])):
            masks[file] = place_of(file, role)
        elif images_in is None and role is Role.IMAGE:
            images[file] = place_of(file, role)
        elif role is not Role.UNKNOWN:
            aside.append(file)
        else:
            unknown.append(file)
    return images, masks, unknown, aside


def _tell_apart(images: Places, masks: Places, unknown: list[Path]) -> None:
    """Names of files alone ("a_mask.png", "mask_a.png", "a_gt.png"), where folders say nothing."""
    if masks or images:
        return
    for file in [file for file in unknown if is_mask_stem(stem_of(file)) or _is_mask_prefix(stem_of(file))]:
        masks[file] = place_of(file, Role.UNKNOWN)
        unknown.remove(file)
    if not masks:
        _by_suffix(images, masks, unknown)


def _by_suffix(images: Places, masks: Places, unknown: list[Path]) -> None:
    """Two folders side by side with equal names, one of JPEG files and one of PNG: pictures and masks."""
    folders: dict[Path, list[Path]] = defaultdict(list)
    for file in unknown:
        folders[file.parent].append(file)
    for one, files in folders.items():
        for two, others in folders.items():
            lossy = all(file.suffix.lower() in (".jpg", ".jpeg") for file in files)
            lossless = all(file.suffix.lower() in (".png", ".bmp", ".gif") for file in others)
            same = {stem_of(file) for file in files} & {stem_of(file) for file in others}
            if one.parent == two.parent and lossy and lossless and 2 * len(same) > len(files):
                images.update(dict.fromkeys(files, one.parent.parts))
                masks.update(dict.fromkeys(others, one.parent.parts))
    unknown[:] = [file for file in unknown if file not in images and file not in masks]


def _is_mask_prefix(stem: str) -> bool:
    return stem.startswith(("mask_", "mask-", "label_", "gt_", "seg_")) and bare_stem(stem) != stem


def _adopt_neighbours(images: Places, masks: Places, unknown: list[Path]) -> None:
    """Give folders whose names say nothing the role of what their neighbours' files lack."""
    by_folder: dict[Path, list[Path]] = defaultdict(list)
    for file in unknown:
        by_folder[file.parent].append(file)
    for known, missing in ((masks, images), (images, masks)):
        lacking: dict[Path, set[str]] = defaultdict(set)
        have = {(place, bare_stem(stem_of(file))) for file, place in missing.items()}
        places: Places = {}
        for file, place in known.items():
            if (place, bare_stem(stem_of(file))) not in have:
                lacking[file.parent].add(bare_stem(stem_of(file)))
                places[file.parent] = place
        for folder, wanted in sorted(lacking.items()):
            best = max(by_folder, key=lambda other: _fit(folder, other, wanted, by_folder[other]), default=None)
            if best is None or _fit(folder, best, wanted, by_folder[best]) < 0.3:
                continue
            for file in by_folder.pop(best):
                missing[file] = places[folder]
                unknown.remove(file)


def _fit(folder: Path, other: Path, wanted: set[str], files: list[Path]) -> float:
    """How much of the smaller folder has a partner in the other; 0 unless they are neighbours."""
    near = other.parent in (folder.parent, folder) or other in (folder, folder.parent)
    same_below = len(other.parts) == len(folder.parts) and other.parts[1:] == folder.parts[1:]
    if not (near or same_below):
        return 0.0
    common = wanted & {bare_stem(stem_of(file)) for file in files}
    closeness = 1e-3 if other.parent == folder.parent else 0.0
    return len(common) / min(len(wanted), len(files)) + closeness if common else 0.0


def _keyed(files: Places, same: list[tuple[Path, ...]]) -> dict[Key, Path]:
    """One file for each place and stem; where several share both they are added to `same`.

    Names that differ in their capitals are different ones if both are there.
    """
    groups: dict[Key, list[Path]] = defaultdict(list)
    for file, place in files.items():
        groups[place, stem_of(file)].append(file)
    for (place, stem), group in list(groups.items()):
        exact = {file.stem: file for file in group}
        if len(group) > 1 and len(exact) == len(group) and {name.casefold() for name in exact} == {stem}:
            del groups[place, stem]
            groups.update({(place, name): [file] for name, file in exact.items()})
    same += [tuple(group) for group in groups.values() if len(group) > 1]
    return {key: min(group, key=_preference) for key, group in groups.items()}


def _preference(file: Path) -> tuple[bool, str]:
    """Plain label PNGs before others, where one picture has several masks."""
    return file.suffix.lower() != ".png", str(file)


def _match(
    result: Pairing, images: dict[Key, Path], masks: dict[Key, Path], normal: Callable[[list[Key]], dict[Key, Key]]
) -> None:
    """Pair what is left and agrees once `normal` has simplified the keys; ambiguous keys stay alone."""
    paired = {file for both in result.pairs for file in both}
    left = [_group(normal([key for key, file in side.items() if file not in paired])) for side in (images, masks)]
    for key in left[0].keys() & left[1].keys():
        image_keys, mask_keys = left[0][key], left[1][key]
        if len(image_keys) == 1:
            best = min(mask_keys, key=_mask_preference)
            if len({(place, bare_stem(stem)) for place, stem in mask_keys}) == 1:
                result.pairs.append((images[image_keys[0]], masks[best]))


def _mask_preference(key: Key) -> tuple[int, Key]:
    """Of several masks of one picture: train ids before ids before anything, colours last."""
    order = ("labeltrainids", "labelids", "label", "mask")
    stem = key[1]
    rank = next((index for index, word in enumerate(order) if word in stem), len(order))
    return rank + 10 * ("color" in stem or "instance" in stem), key


def _group(simplified: dict[Key, Key]) -> dict[Key, list[Key]]:
    groups: dict[Key, list[Key]] = defaultdict(list)
    for original, simple in simplified.items():
        groups[simple].append(original)
    return groups


def _as_is(keys: list[Key]) -> dict[Key, Key]:
    return {key: key for key in keys}


def _bare(keys: list[Key]) -> dict[Key, Key]:
    return {(place, stem): (place, bare_stem(stem)) for place, stem in keys}


def _without_numbers(keys: list[Key]) -> dict[Key, Key]:
    """Places without numbers, as in labels37, which the pictures' folder does not have."""
    return {
        (place, stem): (tuple(words for part in place if (words := re.sub(r"-?\b\d+", "", part))), bare_stem(stem))
        for place, stem in keys
    }


def _without_common(keys: list[Key]) -> dict[Key, Key]:
    """Stems without the beginning and the end that all of one place share."""
    places: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for place, stem in keys:
        places[place].append(stem)
    simplified = {}
    for place, stems in places.items():
        before = _up_to_word(_common(stems))
        after = _up_to_word(_common([stem[::-1] for stem in stems]))
        for stem in stems:
            middle = stem[before : len(stem) - after]
            simplified[place, stem] = (place, middle or stem) if len(stems) > 1 else (place, stem)
    return simplified


def _without_zeros(keys: list[Key]) -> dict[Key, Key]:
    """The same without zeros before numbers: img_1 and mask_001."""
    common = _without_common([(place, bare_stem(stem)) for place, stem in keys])
    ends = {key: common[key[0], bare_stem(key[1])][1] for key in keys}
    return {(place, stem): (place, re.sub(r"(?<!\d)0+(?=\d)", "", ends[place, stem])) for place, stem in keys}


def _common(stems: list[str]) -> str:
    """What all stems begin with, letter by letter."""
    first, last = min(stems), max(stems)
    length = next((i for i, (one, two) in enumerate(zip(first, last, strict=False)) if one != two), len(first))
    return first[:length]


def _up_to_word(common: str) -> int:
    """Length of a common beginning without the digits at its end, which may belong to numbers."""
    return len(common.rstrip("0123456789"))


def _stem_alone(keys: list[Key]) -> dict[Key, Key]:
    return {(place, stem): ((), bare_stem(stem)) for place, stem in keys}


def _continues(place: tuple[str, ...], stem: str, stems: set[tuple[tuple[str, ...], str]]) -> bool:
    """Whether `stem` is that of a picture with more words behind it: "a_mask_1", "a_0"."""
    ends = [end for end in range(1, len(stem)) if not stem[end].isalnum()]
    return any((place, stem[:end]) in stems for end in ends) or (place, bare_stem(stem)) in stems
