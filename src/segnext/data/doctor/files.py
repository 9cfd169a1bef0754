"""Findings about files: missing partners, files that cannot be read, names and rubbish that get in the way."""

import shlex
import unicodedata
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from segnext.data.curate.split import by_prefix
from segnext.data.doctor.advice import full_import
from segnext.data.doctor.case import Case, named
from segnext.data.doctor.encoding import Encoding
from segnext.data.doctor.findings import Finding, Severity, examples
from segnext.data.doctor.strays import judge_strays
from segnext.data.doctor.survey import Item, expected_mask
from segnext.data.names import split_of
from segnext.words import counted, listed

# What Pillow calls the formats that a suffix promises.
_PROMISED = {
    **dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif"), ("JPEG", "MPO")),
    **dict.fromkeys((".tif", ".tiff"), ("TIFF",)),
    ".png": ("PNG",),
    ".webp": ("WEBP",),
    ".gif": ("GIF",),
    ".bmp": ("BMP", "DIB"),
}


def judge_files(case: Case, found: Encoding) -> Iterator[Finding]:
    """Everything about files but what their pixels hold."""
    yield from _partners(case)
    yield from _unreadable(case)
    yield from _formats(case)
    yield from _names(case, found)
    yield from judge_strays(case)


def _partners(case: Case) -> Iterator[Finding]:
    pairing = case.survey.pairing
    if pairing.images and (pairing.pairs or pairing.masks):
        yield from _without_mask(case)
    if pairing.masks:
        yield Finding(
            "masks-without-image",
            Severity.WARNING,
            f"{counted(len(pairing.masks), 'mask')} without a picture",
            "their labels are lost: the pictures are missing or have other names",
            "add the pictures under the same names (an incomplete download?), or remove the masks",
            len(pairing.masks),
            examples(pairing.masks),
        )
    if pairing.same_stem:
        groups = pairing.same_stem
        yield Finding(
            "same-stem",
            Severity.ERROR if case.survey.ready else Severity.WARNING,
            f"{counted(len(groups), 'name')} used by several pictures that differ in the suffix alone",
            "they would all get the same mask",
            "keep one picture of each, or rename them and give each a mask",
            len(groups),
            examples([" + ".join(str(file) for file in group) for group in groups]),
        )
    if pairing.many_masks:
        yield Finding(
            "several-masks",
            Severity.WARNING,
            f"{counted(len(pairing.many_masks), 'further mask')} for pictures that have one already",
            "one is used and the rest are left out: a mask per object or class must be merged, "
            "coloured copies, instance masks and those of a second person can go",
            "merge them into one label per pixel, or keep the one that counts",
            len(pairing.many_masks),
            examples(pairing.many_masks),
        )


def _without_mask(case: Case) -> Iterator[Finding]:
    """Pictures without a mask; whole splits of them apart, as test splits are published."""
    pairing, ready = case.survey.pairing, case.survey.ready
    labelled = {_part(image, ready) for image, _ in pairing.pairs}
    bare = [image for image in pairing.images if _part(image, ready) not in labelled]
    some = [image for image in pairing.images if image not in set(bare)]
    if some:
        total = len(some) + len(pairing.pairs)
        yield Finding(
            "images-without-mask",
            Severity.ERROR if ready else Severity.WARNING,
            f"{counted(len(some), 'picture')} of {total:,} without a mask",
            "training needs a mask for every picture of a split and refuses a split where one is missing",
            "add the masks under the same names, or move the pictures away",
            len(some),
            examples(some),
        )
    for split, count in sorted(Counter(_part(image, ready) for image in bare).items()):
        needed = ready and split_of(split) in ("train", "val")
        yield Finding(
            "split-without-masks",
            Severity.ERROR if needed else Severity.NOTE,
            f"the {'split' if ready else 'folder'} '{split}' ({counted(count, 'picture')}) has no masks at all",
            "nothing can be learned from it or measured on it",
            f"add masks/{split}, or move the pictures away" if needed else "nothing, if it is only to be predicted",
            count,
            examples([image for image in bare if _part(image, ready) == split]),
        )


def _part(image: Path, ready: bool) -> str:
    """The split of a picture, or its folder where the folder is laid out otherwise."""
    return image.parts[1] if ready else str(image.parent)


def _unreadable(case: Case) -> Iterator[Finding]:
    for what, plural, broken in (
        ("picture", "pictures", [named(i.image, r.image.error) for i, r in case.pairs() if r.image.error]),
        ("mask", "masks", [named(i.mask, r.mask.error) for i, r in case.pairs() if r.mask.error]),
    ):
        if broken:
            yield Finding(
                f"unreadable-{plural}",
                Severity.ERROR,
                f"{counted(len(broken), what)} cannot be read",
                "empty, truncated or damaged files stop a training when their turn comes, perhaps hours later",
                "copy or download them again, or remove them together with their partners",
                len(broken),
                examples(broken),
            )


def _formats(case: Case) -> Iterator[Finding]:
    lying: list[str] = []
    kinds: Counter[str] = Counter()
    for item, record in case.pairs():
        for file, header in ((item.image, record.image), (item.mask, record.mask)):
            promised = _PROMISED.get(file.suffix.lower())
            if promised and header.format and header.format not in promised:
                lying.append(named(file, header.format))
                kinds[f"{header.format} in {file.suffix.lower()}"] += 1
    if lying:
        shown = listed(f"{number} {kind}" for kind, number in kinds.most_common())
        yield Finding(
            "wrong-suffix",
            Severity.WARNING,
            f"{counted(len(lying), 'file')} of another format than the suffix says: {shown}",
            "segnext goes by the content, other tools may not read them; it also tells that they came from several "
            "sources, so look at their quality",
            "rename them or save them again in the format their suffix says",
            len(lying),
            examples(lying),
        )


def _names(case: Case, found: Encoding) -> Iterator[Finding]:
    if case.survey.ready:
        wrong = [item for item, _ in case.pairs() if not case.multi_label and item.mask != expected_mask(item.image)]
        other = [named(item.mask, _looked_for(item)) for item in wrong]
        if other:
            yield Finding(
                "mask-elsewhere",
                Severity.ERROR,
                f"{counted(len(other), 'mask')} under another name or in another split than the picture's",
                "masks are looked for at masks/SPLIT/ with the picture's own name and the suffix .png",
                f"rename or move them, or let '{full_import(case.survey, found)}' do it",
                len(other),
                examples(other),
            )
        splits = {} if case.sampled else case.survey.splits()
        unusual = [name for name in splits if split_of(name) and split_of(name) != name]
        for name in unusual:
            field = "val_split" if split_of(name) == "val" else "train_split"
            if split_of(name) != "test" and split_of(name) not in splits:
                yield Finding(
                    "split-name",
                    Severity.NOTE,
                    f"the {split_of(name)} split is called '{name}'",
                    "training looks for 'train' and 'val'",
                    f"rename the folders, or train with --{field} {name} and evaluate with --split {name}",
                    1,
                )
        kinds = {split_of(name) or name for name in splits}
        if "train" in kinds and "val" not in kinds:
            yield Finding(
                "no-val-split",
                Severity.WARNING,
                f"there is no split to measure on, only {listed(splits)}",
                "training measures on 'val' to keep the best weights, and stops where there is none",
                f"segnext data split {shlex.quote(str(case.survey.root))} --val 0.2{_grouping(case)}, or train with "
                "--val_split null",
                1,
            )
        if splits and "train" not in kinds:
            yield Finding(
                "no-train-split",
                Severity.WARNING,
                f"there is no split called train, only {listed(splits)}",
                "training needs one",
                "rename the folders to train, or name the split with --train_split",
                len(splits),
            )


def _grouping(case: Case) -> str:
    """The option of `segnext data split` for pictures whose names look like frames or tiles, where it can be used."""
    pictures = [PurePosixPath(*item.image.parts[1:]) for item, _ in case.pairs()]
    groups = {by_prefix(picture) for picture in pictures}
    few = 2 < len(groups) <= len(pictures) / 2
    return (
        f" (--group-by prefix if {len(groups)} names such as '{min(groups)}' are scenes or recordings)" if few else ""
    )


def _looked_for(item: Item) -> str:
    wanted = expected_mask(item.image)
    if unicodedata.normalize("NFC", str(wanted)) == unicodedata.normalize("NFC", str(item.mask)):
        return "its accents are written in another Unicode form than the picture's"
    return f"looked for as {wanted}"
