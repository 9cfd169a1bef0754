"""Findings about files: missing partners, files that cannot be read, names and rubbish that get in the way."""

import unicodedata
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from segnext.data.doctor.advice import full_import, split_command
from segnext.data.doctor.case import Case, named
from segnext.data.doctor.encoding import Encoding
from segnext.data.doctor.findings import Finding, Severity, found
from segnext.data.doctor.several import judge_several
from segnext.data.doctor.survey import Item, expected_mask
from segnext.data.doctor.tree import ARRAYS
from segnext.data.names import split_of
from segnext.words import counted, listed, quoted

# What Pillow calls the formats that a suffix promises.
_PROMISED = {
    **dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif"), ("JPEG", "MPO")),
    **dict.fromkeys((".tif", ".tiff"), ("TIFF",)),
    ".png": ("PNG",),
    ".webp": ("WEBP",),
    ".gif": ("GIF",),
    ".bmp": ("BMP", "DIB"),
}


def judge_files(case: Case, encoding: Encoding) -> Iterator[Finding]:
    """Everything about files but what their pixels hold."""
    yield from _partners(case, encoding)
    yield from _unreadable(case)
    yield from _formats(case)
    if case.survey.ready:
        yield from _names(case, encoding)
        yield from _splits(case)
    yield from _strays(case)
    yield from _lists(case)


def _partners(case: Case, encoding: Encoding) -> Iterator[Finding]:
    pairing, ready = case.survey.pairing, case.survey.ready
    if pairing.images and pairing.pairs:
        yield from _without_mask(case)
    if pairing.masks and pairing.pairs:
        yield found("masks-without-image", pairing.masks)
    if pairing.same_stem:
        groups = [" + ".join(map(str, group)) for group in pairing.same_stem]
        yield found("same-stem", groups, severity=Severity.ERROR if ready else None)
    yield from judge_several(case, encoding)


def _without_mask(case: Case) -> Iterator[Finding]:
    """Pictures without a mask; splits and folders where none has one apart, as test splits are published."""
    pairing, ready = case.survey.pairing, case.survey.ready

    def part(image: Path) -> str:
        return image.parts[1] if ready else str(image.parent)

    labelled = {part(image) for image, _ in pairing.pairs}
    some = [image for image in pairing.images if part(image) in labelled]
    if some:
        severity = Severity.ERROR if ready else None
        yield found("images-without-mask", some, severity=severity, total=len(some) + len(pairing.pairs))
    bare = [image for image in pairing.images if part(image) not in labelled]
    if bare:
        places = Counter(map(part, bare))
        needed = [place for place in places if ready and split_of(place) in ("train", "val")]
        yield found(
            "split-without-masks",
            bare,
            severity=Severity.ERROR if needed else None,
            what=counted(len(places), "split" if ready else "folder"),
            places=listed(f"'{place}' ({counted(count, 'picture')})" for place, count in places.items()),
            fix=f"add masks/{needed[0]}, or move the pictures away"
            if needed
            else "nothing, if it is only to be predicted",
        )


def _unreadable(case: Case) -> Iterator[Finding]:
    if pictures := [named(item.image, record.image.error) for item, record in case.pairs() if record.image.error]:
        yield found("unreadable-pictures", pictures)
    if masks := [named(item.mask, record.mask.error) for item, record in case.pairs() if record.mask.error]:
        yield found("unreadable-masks", masks)


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
        yield found("wrong-suffix", lying, kinds=listed(f"{number:,} {kind}" for kind, number in kinds.most_common()))


def _names(case: Case, encoding: Encoding) -> Iterator[Finding]:
    wrong = [item for item, _ in case.pairs() if not case.multi_label and item.mask != expected_mask(item.image)]
    if wrong:
        lines = [named(item.mask, _looked_for(item)) for item in wrong]
        yield found("mask-elsewhere", lines, fix=full_import(case, encoding))


def _looked_for(item: Item) -> str:
    wanted = expected_mask(item.image)
    if unicodedata.normalize("NFC", str(wanted)) == unicodedata.normalize("NFC", str(item.mask)):
        return "its accents are written in another Unicode form than the picture's"
    return f"looked for as {wanted}"


def _splits(case: Case) -> Iterator[Finding]:
    splits = {} if case.sampled else case.survey.splits()
    kinds = {split_of(name) or name for name in splits}
    for name in splits:
        kind = split_of(name)
        if kind in ("train", "val") and kind != name and kind not in splits:
            yield found("split-name", (), 1, kind=kind, name=name, word=quoted(name), field=f"{kind}_split")
    if "train" in kinds and "val" not in kinds:
        yield found("no-val-split", (), 1, splits=listed(splits), more="", fix=split_command(case, "--val 0.2"))
    if splits and "train" not in kinds:
        fix = "rename the folders to train, or name the split with --train_split"
        yield found("no-train-split", (), len(splits), splits=listed(splits), fix=fix)


def _strays(case: Case) -> Iterator[Finding]:
    """Files beside the pairs."""
    tree = case.survey.tree
    foreign = [file for file in tree.others if file.parts[0] in ("images", "masks") and len(file.parts) > 2]
    if case.survey.ready and foreign:
        yield found("foreign-files", foreign, suffixes=_suffixes(foreign))
    arrays = [file for file in tree.others if file.suffix.lower() in ARRAYS]
    for kind, files in (
        ("rubbish", tree.rubbish),
        ("link-loop", tree.loops),
        ("broken-link", tree.broken),
        ("empty-folder", tree.empty),
        ("arrays", arrays),
    ):
        if files:
            yield found(kind, files, suffixes=_suffixes(files))
    aside = case.survey.pairing.aside
    if aside and case.survey.items:
        yield found("aside", aside, folders=listed(Counter(str(file.parent) for file in aside), 4))


def _suffixes(files: list[Path]) -> str:
    return listed(sorted({file.suffix.lower() or file.name for file in files}))


def _lists(case: Case) -> Iterator[Finding]:
    """Lists that name what is not there, and pairs that no list names."""
    lists = case.survey.lists
    for entry in lists:
        if entry.missing:
            yield found("list-names-missing", sorted(entry.missing), file=entry.file, split=entry.split)
    unlisted = [item.image for item in case.survey.items if not item.splits] if lists else []
    if unlisted:
        yield found("unlisted", unlisted, lists=listed(dict.fromkeys(entry.file for entry in lists), 3))
