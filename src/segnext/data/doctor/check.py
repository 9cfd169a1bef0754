"""The whole examination of a data set, and the quick one before a training."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from segnext.data.doctor.advice import fitting_sets, full_import, init_command
from segnext.data.doctor.case import Case, examine
from segnext.data.doctor.classes import judge_class_list, judge_classes, judge_occurrence
from segnext.data.doctor.encoding import Encoding, encoding_of
from segnext.data.doctor.files import judge_files
from segnext.data.doctor.findings import Finding, Severity, by_severity, found
from segnext.data.doctor.images import judge_bands, judge_images
from segnext.data.doctor.leakage import judge_leakage
from segnext.data.doctor.masks import judge_masks
from segnext.data.doctor.rasters import judge_rasters
from segnext.data.doctor.survey import Survey, survey, survey_layout
from segnext.data.doctor.tool_lists import judge_tool_lists
from segnext.data.doctor.tools import judge_tools
from segnext.data.folder import DataSet
from segnext.data.formats.public.layout import Layout
from segnext.data.rasters.split import Rasters
from segnext.words import counted, listed

DIVIDED = ("leakage", "split-inside-split", "listed-twice")  # errors that a new division mends
QUICK_MASKS = 48  # of each split are decoded in the quick examination


@dataclass(frozen=True)
class Diagnosis:
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


def check(
    data: Path | Layout,
    watch: Callable[[int, int], None] = lambda done, total: None,
    *,
    images: str | None = None,
    masks: str | None = None,
) -> Diagnosis:
    """Examine a folder of pictures and masks, whatever its layout, or a public data set.

    Args:
        data: the folder, or the data set.
        watch: called with the number of pairs that were looked into, and of all.
        images: the pictures' folder in it, by its path or name, or a pattern; None to find it.
        masks: the same of the masks.

    Raises:
        SegNextError: when there is no such folder, or files of the data set are missing.
    """
    seen = survey_layout(data) if isinstance(data, Layout) else survey(data, images=images, masks=masks)
    return _judge(examine(seen, done=lambda count: watch(count, len(seen.items))))


def quick_check(data: DataSet, splits: Iterable[str]) -> list[Finding]:
    """What can be told in seconds: all names and headers, and the labels of some masks of each split.

    Findings of severity ERROR are those that would stop or spoil a training on these splits.
    """
    if isinstance(data, Rasters):
        return judge_rasters(data, splits)
    part = survey_layout(data, splits) if isinstance(data, Layout) else survey(data.path, splits)
    part.labels, part.bands = data.labels, None if isinstance(data, Layout) else data.bands
    chosen = {index for indices in part.splits().values() for index in _spread(indices, QUICK_MASKS)}
    case = examine(part, masks=[index in chosen for index in range(len(part.items))])
    return _judge(case).findings


def _spread(indices: Sequence[int], number: int) -> Sequence[int]:
    return indices[:: max(1, -(-len(indices) // number))]


def _judge(case: Case) -> Diagnosis:
    encoding = encoding_of(case)
    findings = by_severity(_findings(case, encoding))
    if any(finding.severity is Severity.ERROR and finding.code not in DIVIDED for finding in findings):
        findings = [replace(finding, fix=_later(finding.fix)) for finding in findings]
    return Diagnosis(case, encoding, findings)


def _later(fix: str) -> str:
    """Advice without commands that divide a data set, which must be sound for that."""
    kept = [line for line in fix.splitlines() if not line.startswith("segnext data split ")]
    return fix if len(kept) == len(fix.splitlines()) else "\n".join([*kept, "mend the errors first, then check again"])


def _findings(case: Case, encoding: Encoding) -> Iterator[Finding]:
    ours = not case.survey.in_place  # files, names and masks of public data sets are as they are
    if ours:
        yield from _layout(case, encoding)
    yield from judge_files(case, encoding)
    if ours:
        yield from judge_class_list(case)
        yield from judge_tool_lists(case, encoding)
    if not case.multi_label:
        if ours:
            yield from judge_masks(case, encoding)
        yield from judge_classes(case, encoding)
    elif case.labels is not None and not case.sampled:  # no labels to judge, but which classes occur
        yield from judge_occurrence(case, case.labels)
    yield from judge_images(case, encoding)
    if ours:
        yield from judge_bands(case, encoding)
    yield from judge_leakage(case)


def _layout(case: Case, encoding: Encoding) -> Iterator[Finding]:
    """Whether training could read the folder, and the command that makes it so."""
    seen = case.survey
    if seen.labels_error:
        fix = full_import(case, encoding) if seen.items else ""
        yield found("bad-dataset-yaml", ("dataset.yaml",), problem=seen.labels_error, fix=fix)
    elif not seen.items:
        yield from judge_tools(seen) or [_no_pairs(seen)]
    elif not seen.ready:
        yield found(
            "other-layout",
            (),
            len(seen.items),
            missing="" if seen.labels else "no dataset.yaml, ",
            images=_places(seen, 0),
            masks=_places(seen, 1),
            paired="".join(map("; {}: {}".format, ("paired here", "next best"), seen.pairing.tries)),
            fix=full_import(case, encoding),
        )
    elif seen.labels is None:
        fitting = fitting_sets(encoding.solid)
        fix = init_command(case, fitting) if fitting else full_import(case, encoding)
        yield found("no-dataset-yaml", (), 1, fix=f"write it by hand; or:\n{fix}")


def _places(seen: Survey, half: int) -> str:
    folders = sorted({str(pair[half].parent) for pair in seen.pairing.pairs})
    return listed((f"{folder}/" for folder in folders), 3)


def _no_pairs(seen: Survey) -> Finding:
    files = [*seen.tree.pictures, *seen.tree.others]
    suffixes = sorted({file.suffix.lower() for file in files} - {""})
    told = "masks are told by their folder's name (masks, labels, ...), their own (NAME_mask.png) or their looks"
    return found(
        "no-pairs",
        files[:4],
        len(seen.tree.pictures),
        pictures=counted(len(seen.tree.pictures), "picture"),
        suffixes=listed(suffixes) or "no files",
        tries=told,
        fix="name the folders by --images FOLDER and --masks FOLDER, or give each mask its picture's name",
    )
