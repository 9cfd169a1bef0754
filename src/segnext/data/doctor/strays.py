"""Findings about files that are neither pictures nor masks, and about lists of pictures."""

from collections import Counter
from collections.abc import Iterator

from segnext.data.doctor.case import Case
from segnext.data.doctor.findings import Finding, Severity, examples
from segnext.data.doctor.tree import ARRAYS
from segnext.words import counted, listed


def judge_strays(case: Case) -> Iterator[Finding]:
    """Everything about files beside the pairs, and about lists of splits."""
    tree = case.survey.tree
    foreign = [file for file in tree.others if file.parts[0] in ("images", "masks") and len(file.parts) > 2]
    if case.survey.ready and foreign:
        suffixes = listed(sorted({file.suffix.lower() or file.name for file in foreign}))
        yield Finding(
            "foreign-files",
            Severity.NOTE,
            f"{counted(len(foreign), 'file')} below images/ and masks/ that are not pictures ({suffixes})",
            "training leaves them out",
            "nothing, unless they are pictures or masks: then save them as PNG",
            len(foreign),
            examples(foreign),
        )
    if tree.rubbish:
        yield Finding(
            "rubbish",
            Severity.NOTE,
            f"{counted(len(tree.rubbish), 'file')} left behind by file managers, notebooks or archives",
            "they are not taken for pictures here, but other tools may take them",
            "remove them",
            len(tree.rubbish),
            examples(tree.rubbish),
        )
    for code, severity, files, what, why in (
        (
            "link-loop",
            Severity.WARNING,
            tree.loops,
            "folder link that leads into a circle",
            "tools that follow it never end",
        ),
        (
            "broken-link",
            Severity.WARNING,
            tree.broken,
            "link or folder that cannot be opened",
            "what it stood for is missing",
        ),
        ("empty-folder", Severity.NOTE, tree.empty, "empty folder", "something may have been left out of a copy"),
    ):
        if files:
            yield Finding(
                code,
                severity,
                counted(len(files), what, _plural(what)),
                why,
                "remove or mend them",
                len(files),
                examples(files),
            )
    arrays = [file for file in tree.others if file.suffix.lower() in ARRAYS]
    if arrays:
        suffixes = listed(sorted({file.suffix for file in arrays}))
        yield Finding(
            "arrays",
            Severity.NOTE,
            f"{counted(len(arrays), 'file')} of arrays ({suffixes}), which were not looked into",
            "pictures and masks are read from image files",
            "save them as PNG or TIFF",
            len(arrays),
            examples(arrays),
        )
    aside = case.survey.pairing.aside
    if aside and case.survey.items:
        folders = Counter(str(file.parent) for file in aside)
        yield Finding(
            "aside",
            Severity.NOTE,
            f"{counted(len(aside), 'picture')} taken for neither pictures nor masks, in {listed(folders, 4)}",
            "they look like predictions, documentation or something else",
            "nothing, unless they belong to the data: then give their folders names such as images and masks",
            len(aside),
            examples(aside),
        )
    yield from _lists(case)


def _lists(case: Case) -> Iterator[Finding]:
    """Lists that name what is not there, and pairs that no list names."""
    for split, file, unknown in case.survey.lists:
        if unknown:
            yield Finding(
                "list-names-missing",
                Severity.WARNING,
                f"{file} names {counted(len(unknown), 'picture')} that {'are' if len(unknown) > 1 else 'is'} not there",
                f"the {split} split is smaller than its list says",
                "add the pictures or correct the list",
                len(unknown),
                examples(unknown),
            )
    unlisted = [item.image for item in case.survey.items if not item.splits] if case.survey.lists else []
    if unlisted:
        yield Finding(
            "unlisted",
            Severity.WARNING,
            f"{counted(len(unlisted), 'pair')} in no list of a split, while "
            f"{listed((file for _, file, _ in case.survey.lists), 3)} name the others",
            "they would be used for nothing",
            "add them to a list, or remove them if they were left out on purpose",
            len(unlisted),
            examples(unlisted),
        )


def _plural(what: str) -> str:
    head, _, tail = what.partition(" that ")
    if not tail:
        return what + "s"
    return f"{head}s that {tail.replace('leads', 'lead')}"
