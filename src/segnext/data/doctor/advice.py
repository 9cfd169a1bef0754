"""The commands that mend what was found."""

import shlex
from collections.abc import Iterable, Mapping

from segnext.data.doctor.names import Role, role_of
from segnext.data.doctor.survey import Survey
from segnext.data.known import KNOWN, known_labels

LIKELY = 0.6  # share of a label set's colours that must occur before it is suggested


def import_command(survey: Survey, source: str = "labels", *options: str) -> str:
    """`segnext data import` of the folder into a data set of ours."""
    if survey.labels is not None and source != "binary":
        options = (*options, "--classes", str(survey.root / "dataset.yaml"))
    first, folders = _folders(survey)
    words = ["segnext", "data", "import", str(survey.root), "DEST", "--from", source, *folders, *options]
    return first + " ".join(shlex.quote(word) for word in words)


def _folders(survey: Survey) -> tuple[str, list[str]]:
    """Options for folders whose names do not say what they hold; where there are several, a step before."""
    first, options = "", []
    for half, flag, name in ((0, "--images", "images"), (1, "--masks", "masks")):
        files = [pair[half] for pair in survey.pairing.pairs]
        unnamed = {file.parent for file in files if role_of(file) is Role.UNKNOWN and file.parent.parts}
        ends = sorted({folder.name for folder in unnamed})
        if len(unnamed) == 1 and len({file.parent for file in files}) == 1:
            options += [flag, str(unnamed.pop())]
        elif len(ends) == 1:
            first += f"rename the folders {ends[0]} to {name}, then: "
    return first, options


def public_layout(survey: Survey) -> str | None:
    """The name by which `segnext data import` knows the layout of a public data set, if it is one."""
    folders = {part for _, mask in survey.pairing.pairs for part in mask.parent.parts}
    images = {part for image, _ in survey.pairing.pairs for part in image.parent.parts}
    if "gtFine" in folders and "leftImg8bit" in images:
        return "cityscapes"
    if "SegmentationClass" in folders and "JPEGImages" in images:
        return "voc"
    if {"annotations", "training"} <= folders and {"images", "training"} <= images:
        return "ade20k"
    return None


def init_command(survey: Survey, like: str | None) -> str:
    """`segnext data init` of a folder that is laid out well."""
    return f"segnext data init {shlex.quote(str(survey.root))} --like {like or 'NAME'}"


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


def mapping_option(mapping: Mapping[int, int]) -> tuple[str, str]:
    """`--map` of labels in the masks to classes."""
    return "--map", ",".join(f"{old}:{new}" for old, new in mapping.items())
