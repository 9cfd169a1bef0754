"""Findings about labels against the class list: outside it, off by one, wrong ignore label, rare classes."""

from collections.abc import Iterator

from segnext.data.alike import alike
from segnext.data.doctor.advice import class_list, fitting_sets, from_one, full_import, import_command, init_command
from segnext.data.doctor.case import Case
from segnext.data.doctor.encoding import Encoding, Pair, grey_levels, mixed_binary
from segnext.data.doctor.findings import Finding, Severity, examples
from segnext.data.doctor.shifted import SOME, some_from_one
from segnext.data.names import split_of
from segnext.labels import Labels
from segnext.words import counted, listed, share

RARE_SHARE = 2e-4  # of the labelled pixels
RARE_PICTURES = 3
MOSTLY = 0.5  # share of ignored pixels that is pointed out
COMPLETE = "nothing, if these are all the pictures that were published"  # advice on a public data set


def judge_classes(case: Case, found: Encoding) -> Iterator[Finding]:
    """Everything about which labels occur."""
    if found.kind != "labels" or not found.pixels or mixed_binary(found)[0]:
        return
    if len(found.pixels) == 1 and len(found.numbered) > 1:
        yield Finding(
            "one-label",
            Severity.WARNING,
            f"all {counted(len(found.numbered), 'mask')} hold nothing but {next(iter(found.pixels))}",
            "there is nothing to learn; perhaps these are not the masks that were meant",
            "look at them in the contact sheet (--sheet F.html), and name the right folder",
            len(found.numbered),
            examples([str(item.mask) for item, _ in found.numbered]),
        )
    if case.labels is None:
        yield from _without_list(case, found)
        return
    outside = sorted(v for v in found.solid if (v >= len(case.labels) and v != case.labels.ignore) or v < 0)
    if outside:
        finding = _outside(case, found, case.labels, outside)
        yield finding
        if finding.code in ("grey-levels", "labels-from-one", SOME):  # then which classes occur is not known
            return
    else:
        yield from _shifted(case, found, case.labels)
    if len(outside) < len(found.solid) and not case.sampled:
        yield from judge_occurrence(case, case.labels)
    yield from _ignored(case, case.labels)


def _pairs_with(found: Encoding, labels: set[int]) -> list[Pair]:
    return [pair for pair in found.numbered if (v := pair[1].mask.values) and labels & v.counts.keys()]


def _without_list(case: Case, found: Encoding) -> Iterator[Finding]:
    labels = sorted(found.solid)
    if grey_levels(found, None):
        yield _levels(case, found, labels)
        return
    fitting = fitting_sets(labels)
    inner = [label for label in labels if label != 255]
    tool = class_list(case.survey, labels)
    hint = f"; as many as in {' and '.join(fitting)}" if fitting else ""
    hint = f" but {tool[1]}" if tool else hint
    first, shift = "", from_one(case.survey, found)
    if shift:
        first = f" (0 never occurs, so classes seem to be 1 to {max(inner)}; leave out --offset -1 if 0 is a class)"
    elif inner and min(inner) > 0:
        first = " (0 never occurs)"
    if case.survey.ready and not shift:
        fix = init_command(case.survey)
    else:
        fix = import_command(case.survey, "labels", *tool, *shift)
        fix += f" (with --like {fitting[0]} if its classes are meant)" if fitting and not tool else ""
    yield Finding(
        "labels-without-names",
        Severity.NOTE,
        f"{counted(len(found.numbered), 'mask')} with labels {ranges(labels)}, and no list of their classes{hint}",
        f"the labels look sound{first}, what they mean only you know",
        fix,
        len(labels),
    )


def _levels(case: Case, found: Encoding, labels: list[int]) -> Finding:
    luma = _luma_of(labels, case.labels)
    from_colors = "they are the brightness of colours, so colour masks were once saved as grey; " if luma else ""
    return Finding(
        "grey-levels",
        Severity.ERROR,
        f"masks hold grey levels, not labels: {listed(labels, 12)}",
        f"{from_colors}labels count from 0 without gaps, so these would need {max(labels) + 1} classes",
        full_import(case.survey, found),
        len(found.numbered),
        examples([str(item.mask) for item, _ in _pairs_with(found, {max(labels)})]),
    )


def _luma_of(labels: list[int], known: Labels | None) -> bool:
    """Whether the values are those of pure or listed colours converted to grey."""
    colors = [(r, g, b) for r in (0, 128, 255) for g in (0, 128, 255) for b in (0, 128, 255)]
    colors += list(known.colors) if known else []
    grey = {round(0.299 * r + 0.587 * g + 0.114 * b) + slip for r, g, b in colors for slip in (-1, 0, 1)}
    return bool(set(labels) - {0, 255}) and set(labels) <= grey | {0, 255}


def _outside(case: Case, found: Encoding, labels: Labels, outside: list[int]) -> Finding:
    """Labels that are neither a class nor ignored, explained where a pattern is known."""
    count, ignore = len(labels), labels.ignore
    inside = {v for v in found.solid if v < count}
    pairs = _pairs_with(found, set(outside))
    pixels = sum(found.pixels[v] for v in outside)
    if grey_levels(found, count) and len(inside) <= 1:
        return _levels(case, found, sorted(found.solid))
    code, fix = "labels-outside", "add the missing classes to dataset.yaml, or correct the masks"
    why = f"the {count} classes are 0 to {count - 1} and {ignore} is ignored; training refuses such masks"
    if any(values.blurred for _, record in pairs if (values := record.mask.values)):
        why += "; these masks are blurred, so such labels come of mixing two others"
        fix = "write the masks again as PNG, resized by nearest neighbour and drawn without anti-aliasing"
    elif some := some_from_one(case, found, labels, outside):
        return some
    elif outside == [count] and 0 not in found.solid:
        code, fix = "labels-from-one", import_command(case.survey, "labels", "--offset", "-1")
        why = f"labels are 1 to {count} and 0 never occurs: they count from 1 where classes count from 0"
    elif len(outside) == 1 and ignore not in found.solid and outside[0] in (count, 255):
        code, fix = "wrong-ignore", f"set 'ignore: {outside[0]}' in dataset.yaml"
        why = f"dataset.yaml ignores {ignore}, which never occurs; the masks seem to use {outside[0]} instead"
        if outside[0] == count and 0 in found.solid:
            why += f", unless the class list lacks one ({count + 1} labels, 0 to {count}) or 0 means unlabelled"
            shift = import_command(case.survey, "labels", "--offset", "-1")
            fix += f"; or add the class to the list; or {shift} ignores 0"
    elif len(outside) == 1:
        why += f"; label {outside[0]} may be a second label to ignore"
        fix = (
            import_command(case.survey, "labels", "--others", "ignore")
            + " ignores it, or add the class to dataset.yaml"
        )
    return Finding(
        code,
        Severity.ERROR,
        f"{counted(len(pairs), 'mask')} with labels outside the class list: {ranges(outside)} "
        f"({share(pixels, found.pixels.total())} of the pixels)",
        why,
        fix,
        len(pairs),
        examples([str(item.mask) for item, _ in pairs]),
    )


def _shifted(case: Case, found: Encoding, labels: Labels) -> Iterator[Finding]:
    """Labels inside the list that still look shifted: class 0 never occurs and the ignore label is one beyond."""
    if labels.ignore == len(labels) and 0 not in found.solid and {1, labels.ignore} <= found.solid and len(labels) > 2:
        yield Finding(
            "labels-from-one",
            Severity.WARNING,
            f"'{labels.classes[0]}' (label 0) never occurs, and the ignore label {labels.ignore} follows the classes",
            "the masks may count classes from 1, so that every class has the next one's name and the last is ignored",
            import_command(case.survey, "labels", "--offset", "-1") + " if so",
            len(found.numbered),
        )


def judge_occurrence(case: Case, labels: Labels) -> Iterator[Finding]:
    """Classes that a split never or hardly ever shows."""
    double = {name for group in alike(labels.classes) for name in group}  # of which there is a finding of its own
    for split, (pixels, files) in count_classes(case, labels).items():
        total = sum(pixels)
        if not total:
            continue
        pictures = len(case.survey.splits()[split])
        never = [name for name, count in zip(labels.classes, files, strict=True) if count == 0]
        place = f"the split '{split}'" if split else "the masks"
        trains = not split or split_of(split) == "train"
        if never:
            yield Finding(
                "missing-classes",
                Severity.WARNING,
                f"{counted(len(never), 'class', 'classes')} of {len(labels)} never in {place}: {listed(never)}",
                (
                    "what does not occur cannot be learned"
                    if trains
                    else "the split cannot tell how well they are segmented"
                )
                + ("; in a small split that is to be expected" if pictures < 20 else ""),
                COMPLETE
                if case.survey.in_place
                else "add pictures that show them, split anew with 'segnext data split', or take them off the list",
                len(never),
                tuple(never[:4]),
            )
        rare = [
            f"{name} ({share(count, total)} of the pixels, {counted(inside, 'picture')})"
            for name, count, inside in zip(labels.classes, pixels, files, strict=True)
            if inside and name not in double and (count < RARE_SHARE * total or inside < min(RARE_PICTURES, pictures))
        ]
        if rare:
            yield Finding(
                "rare-classes",
                Severity.NOTE,
                f"{counted(len(rare), 'class', 'classes')} hardly ever in {place}: {listed(rare, 4)}",
                "they will be learned badly" if trains else "their IoU hangs on a few pixels or pictures",
                "add pictures, or train with --class_balance 0.5"
                if trains
                else COMPLETE
                if case.survey.in_place
                else "add pictures to this split, or divide anew with 'segnext data split'",
                len(rare),
            )


def count_classes(case: Case, labels: Labels) -> dict[str, tuple[list[int], list[int]]]:
    """For every split the pixels of each class and in how many pictures it is."""
    result = {}
    for split, indices in case.survey.splits().items():
        pixels, files = [0] * len(labels), [0] * len(labels)
        for index in indices:
            values = case.records[index].mask.values
            for label, count in (values.counts if values else {}).items():
                if 0 <= label < len(labels):
                    pixels[label] += count
                    files[label] += 1
        result[split] = pixels, files
    return result


def _ignored(case: Case, labels: Labels) -> Iterator[Finding]:
    everything, mostly = [], 0
    readable = case.readable()
    for item, record in readable:
        values = record.mask.values
        assert values is not None
        ignored = values.counts.get(labels.ignore, 0) / max(sum(values.counts.values()), 1)
        everything += [str(item.mask)] if ignored == 1 else []
        mostly += ignored > MOSTLY
    if everything:
        yield Finding(
            "all-ignored",
            Severity.WARNING,
            f"{counted(len(everything), 'mask')} with nothing but the ignore label {labels.ignore}",
            "nothing is learned from these pictures; a batch of them alone makes the loss undefined",
            "label them or remove the pairs",
            len(everything),
            examples(everything),
        )
    if mostly - len(everything) > len(readable) // 4:
        yield Finding(
            "mostly-ignored",
            Severity.NOTE,
            f"{counted(mostly, 'mask')} of {len(readable):,} with more than half of the pixels ignored",
            "little is learned from them",
            "nothing, if it is meant so",
            mostly,
        )


def ranges(labels: list[int]) -> str:
    """Numbers with runs shortened: "0-11, 255"."""
    parts: list[list[int]] = []
    for label in labels:
        if parts and label == parts[-1][-1] + 1:
            parts[-1][1:] = [label]
        else:
            parts.append([label])
    return listed(["-".join(map(str, part)) for part in parts], 12)
