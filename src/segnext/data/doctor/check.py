"""The whole examination of a data set, and the quick one before a training."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from segnext.data.doctor.advice import annotation_command, full_import, init_command
from segnext.data.doctor.bands import judge_bands
from segnext.data.doctor.case import Case, examine
from segnext.data.doctor.class_names import judge_class_names
from segnext.data.doctor.classes import judge_classes, judge_occurrence
from segnext.data.doctor.encoding import Encoding, encoding_of
from segnext.data.doctor.files import judge_files
from segnext.data.doctor.findings import Finding, Severity, by_severity
from segnext.data.doctor.images import judge_images
from segnext.data.doctor.leakage import judge_leakage
from segnext.data.doctor.masks import judge_masks
from segnext.data.doctor.outliers import judge_outliers
from segnext.data.doctor.survey import Survey, survey, survey_layout
from segnext.data.folder import DataSet
from segnext.data.formats.public.layout import Layout
from segnext.words import counted, listed

QUICK_MASKS = 48  # of each split are decoded in the quick examination


@dataclass(frozen=True)
class Report:
    """What the examination saw and found.

    Attributes:
        case: the files with what they are.
        encoding: how the masks write classes down.
        findings: worst first.
    """

    case: Case
    encoding: Encoding
    findings: list[Finding]

    def count(self, severity: Severity) -> int:
        """Number of findings of a severity."""
        return sum(finding.severity is severity for finding in self.findings)


def check(data: Path | Layout, watch: Callable[[int, int], None] = lambda done, total: None) -> Report:
    """Examine a folder of pictures and masks, whatever its layout, or a public data set.

    Args:
        data: the folder, or the data set.
        watch: called with the number of pairs that were looked into, and of all.

    Raises:
        SegNextError: when there is no such folder, or files of the data set are missing.
    """
    found = survey_layout(data) if isinstance(data, Layout) else survey(data)
    return _judge(examine(found, done=lambda count: watch(count, len(found.items))))


def quick_check(data: DataSet, splits: Iterable[str]) -> list[Finding]:
    """What can be told in seconds: all names and headers, and the labels of some masks of each split.

    Findings of severity ERROR are those that would stop or spoil a training on these splits.
    """
    part = survey_layout(data, splits) if isinstance(data, Layout) else survey(data.path, splits)
    part.labels, part.bands = data.labels, None if isinstance(data, Layout) else data.bands
    chosen = {index for indices in part.splits().values() for index in _spread(indices, QUICK_MASKS)}
    case = examine(part, masks=[index in chosen for index in range(len(part.items))])
    return _judge(case).findings


def _spread(indices: Sequence[int], number: int) -> Sequence[int]:
    return indices[:: max(1, -(-len(indices) // number))]


def _judge(case: Case) -> Report:
    found = encoding_of(case)
    if case.survey.in_place:  # whose files, names and masks are as they are
        in_place = [*judge_files(case, found), *judge_images(case), *judge_classes(case, found), *judge_leakage(case)]
        return Report(case, found, by_severity(in_place))
    # Masks of single classes hold no labels, so there is nothing about labels to judge but which classes occur.
    alone = [] if case.sampled or case.labels is None else [*judge_occurrence(case, case.labels)]
    findings = [
        *_layout(case, found),
        *judge_files(case, found),
        *judge_class_names(case),
        *(alone if case.multi_label else _judge_labels(case, found)),
        *judge_images(case),
        *judge_bands(case),
        *judge_leakage(case),
    ]
    return Report(case, found, by_severity(findings))


def _judge_labels(case: Case, found: Encoding) -> list[Finding]:
    return [*judge_masks(case, found), *judge_classes(case, found), *judge_outliers(case, found)]


def _layout(case: Case, found: Encoding) -> list[Finding]:
    """Whether training could read the folder, and the command that makes it so."""
    seen = case.survey
    if seen.labels_error:
        why = "training reads class names, colours and the ignore label there"
        return [
            Finding("bad-dataset-yaml", Severity.ERROR, seen.labels_error, why, "mend the file", 1, ("dataset.yaml",))
        ]
    if not seen.items:
        return [_no_pairs(seen)]
    if not seen.ready:
        missing = "" if seen.labels else "no dataset.yaml, "
        where = f"{missing}pictures in {_places(seen, 0)}, masks in {_places(seen, 1)}"
        why = "training reads dataset.yaml, images/SPLIT/** and masks/SPLIT/** with the same names and .png"
        fix = full_import(seen, found)
        return [
            Finding(
                "other-layout", Severity.ERROR, f"not laid out for training yet: {where}", why, fix, len(seen.items)
            )
        ]
    if seen.labels is None:
        why = "training reads class names, colours and the ignore label there"
        fix = f"{init_command(seen)} writes that of a known label set; else write it by hand"
        return [Finding("no-dataset-yaml", Severity.ERROR, "there is no dataset.yaml", why, fix, 1)]
    return []


def _places(seen: Survey, half: int) -> str:
    folders = sorted({str(pair[half].parent) for pair in seen.pairing.pairs})
    return listed((f"{folder}/" for folder in folders), 3)


def _no_pairs(seen: Survey) -> Finding:
    pictures = counted(len(seen.tree.pictures), "picture")
    files = [str(file) for file in (*seen.tree.pictures, *seen.tree.others)]
    suffixes = sorted({Path(file).suffix.lower() for file in files} - {""})
    fix = "put pictures into images/ and masks of the same names into masks/, or name the right folder"
    if annotations := annotation_command(seen):
        fix = annotations
    elif _have_folders(seen):
        fix = (
            "here each picture has a folder of masks: paint them into one mask of labels for each picture; or, where "
            "classes overlap, lay them out as masks/SPLIT/NAME/CLASS.png and say 'multi_label: true' in dataset.yaml"
        )
    what = f"no picture with a mask was found ({pictures}, {listed(suffixes) or 'no files'})"
    why = "masks are told by their folder's name (masks, labels, annotations, ...) or their own (NAME_mask.png)"
    return Finding("no-pairs", Severity.ERROR, what, why, fix, len(seen.tree.pictures), tuple(files[:4]))


def _have_folders(seen: Survey) -> bool:
    """Whether most pictures without a mask have a folder of masks instead, beside them or called like them."""
    folders = {part for mask in seen.pairing.masks for part in mask.parent.parts}
    pictures = seen.pairing.images
    named = sum(image.stem in folders for image in pictures)
    return bool(pictures) and 2 * named >= len(pictures) and len(seen.pairing.masks) >= len(pictures)
