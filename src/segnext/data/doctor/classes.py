"""Findings about labels against the class list: outside it, off by one, wrong ignore label, rare classes."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from segnext.data.alike import alike
from segnext.data.doctor.advice import (
    class_list,
    command,
    fitting_sets,
    from_one,
    full_import,
    import_command,
    init_command,
    merge_command,
    named_masks,
    split_command,
)
from segnext.data.doctor.case import Case, Pair
from segnext.data.doctor.encoding import Encoding, grey_levels, mixed_binary
from segnext.data.doctor.findings import Finding, found
from segnext.data.names import split_of
from segnext.labels import Labels
from segnext.words import counted, listed, share

RARE_SHARE = 2e-4  # of the labelled pixels
RARE_PICTURES = 3
MOSTLY = 0.5  # share of ignored pixels that is pointed out
COMPLETE = "nothing, if these are all the pictures that were published"  # advice on a public data set
SOME = "some-labels-from-one"
UNCLEAR = 12  # masks named that may be of either kind
CHANCE = 0.5  # that masks with a label beyond the classes all lack 0, up to which they are taken for shifted


def judge_class_list(case: Case) -> Iterator[Finding]:
    """Classes of dataset.yaml whose names say that they were meant to be one."""
    if case.labels is None:
        return
    groups = alike(case.labels.classes)
    if groups:
        names = listed((" and ".join(f"'{name}'" for name in group) for group in groups), 3)
        by_hand = "draw the masks of each such class as one, and take the other names off the list in dataset.yaml"
        fix = merge_command(case, groups) or by_hand
        yield found("classes-alike", (), sum(map(len, groups)), names=names, fix=fix)


def judge_classes(case: Case, encoding: Encoding) -> Iterator[Finding]:
    """Everything about which labels occur."""
    if encoding.kind != "labels" or not encoding.pixels or mixed_binary(encoding)[0]:
        return
    if len(encoding.pixels) == 1 and len(encoding.numbered) > 1:
        masks = [item.mask for item, _ in encoding.numbered]
        yield found("one-label", masks, label=str(next(iter(encoding.pixels))))
    if case.labels is None:
        yield _without_list(case, encoding)
        return
    classes, ignore = len(case.labels), case.labels.ignore
    outside = sorted(v for v in encoding.solid if (v >= classes and v != ignore) or v < 0)
    if outside:
        finding = _outside(case, encoding, case.labels, outside)
        yield finding
        if finding.code in ("grey-levels", "labels-from-one", SOME):  # then which classes occur is not known
            return
    elif ignore == classes > 2 and 0 not in encoding.solid and {1, ignore} <= encoding.solid:
        fix = import_command(case, "labels", "--offset", "-1")
        yield found(
            "shifted-labels", (), len(encoding.numbered), name=case.labels.classes[0], ignore=str(ignore), fix=fix
        )
    if len(outside) < len(encoding.solid) and not case.sampled:
        yield from judge_occurrence(case, case.labels)
    yield from _ignored(case, case.labels)


def _pairs_with(encoding: Encoding, labels: set[int]) -> list[Pair]:
    return [pair for pair in encoding.numbered if (v := pair[1].mask.values) and labels & v.counts.keys()]


def _without_list(case: Case, encoding: Encoding) -> Finding:
    labels = sorted(encoding.solid)
    if grey_levels(encoding, None):
        return _levels(case, encoding, labels)
    fitting = fitting_sets(labels)
    inner = [label for label in labels if label != 255]
    tool = class_list(case, labels)
    hint = f"; as many as in {' and '.join(fitting)}" if fitting else ""
    first, shift = "", from_one(case, encoding)
    if shift:
        first = f" (0 never occurs, so classes seem to be 1 to {max(inner)}; leave out --offset -1 if 0 is a class)"
    elif inner and min(inner) > 0:
        first = " (0 never occurs)"
    like = f"; with --like {fitting[0]} if its classes are meant" if fitting and not tool else ""
    return found(
        "labels-without-names",
        (),
        len(labels),
        masks=len(encoding.numbered),
        labels=ranges(labels),
        hint=f" but {tool[1]}" if tool else hint,
        first=first,
        like=like,
        fix=init_command(case, fitting) if case.survey.ready and fitting and not shift else full_import(case, encoding),
    )


def _levels(case: Case, encoding: Encoding, labels: list[int]) -> Finding:
    luma = _luma_of(labels, case.labels)
    return found(
        "grey-levels",
        [item.mask for item, _ in _pairs_with(encoding, {max(labels)})],
        len(encoding.numbered),
        levels=listed(labels, 12),
        colors="they are the brightness of colours, so colour masks were once saved as grey; " if luma else "",
        classes=str(max(labels) + 1),
        fix=full_import(case, encoding),
    )


def _luma_of(labels: list[int], known: Labels | None) -> bool:
    """Whether the values are those of pure or listed colours converted to grey."""
    colors = [(r, g, b) for r in (0, 128, 255) for g in (0, 128, 255) for b in (0, 128, 255)]
    colors += list(known.colors) if known else []
    grey = {round(0.299 * r + 0.587 * g + 0.114 * b) + slip for r, g, b in colors for slip in (-1, 0, 1)}
    return bool(set(labels) - {0, 255}) and set(labels) <= grey | {0, 255}


def _outside(case: Case, encoding: Encoding, labels: Labels, outside: list[int]) -> Finding:
    """Labels that are neither a class nor ignored, explained where a pattern is known."""
    count, ignore = len(labels), labels.ignore
    inside = {v for v in encoding.solid if v < count}
    pairs = _pairs_with(encoding, set(outside))
    shift = import_command(case, "labels", "--offset", "-1")
    if grey_levels(encoding, count) and len(inside) <= 1:
        return _levels(case, encoding, sorted(encoding.solid))
    code, fix = "labels-outside", "add the missing classes to dataset.yaml, or correct the masks"
    why = f"the {count} classes are 0 to {count - 1} and {ignore} is ignored; training refuses such masks"
    if any(record.mask.blurred for _, record in pairs):
        why += "; these masks are blurred, so such labels come of mixing two others"
        fix = "write the masks again as PNG, resized by nearest neighbour and drawn without anti-aliasing"
    elif some := _some_from_one(case, encoding, labels, outside):
        return some
    elif outside == [count] and 0 not in encoding.solid:
        code, fix = "labels-from-one", shift
        why = f"labels are 1 to {count} and 0 never occurs: they count from 1 where classes count from 0"
    elif len(outside) == 1 and ignore not in encoding.solid and outside[0] in (count, 255):
        code, fix = "wrong-ignore", f"set 'ignore: {outside[0]}' in dataset.yaml"
        why = f"dataset.yaml ignores {ignore}, which never occurs; the masks seem to use {outside[0]} instead"
        if outside[0] == count and 0 in encoding.solid:
            why += f", unless the class list lacks one ({count + 1} labels, 0 to {count}) or 0 means unlabelled"
            fix += f"; or add the class to the list; or ignore 0:\n{shift}"
    elif len(outside) == 1:
        why += f"; label {outside[0]} may be a second label to ignore"
        fix = f"add the class to dataset.yaml, or ignore it:\n{import_command(case, 'labels', '--others', 'ignore')}"
    pixels = share(sum(encoding.pixels[v] for v in outside), encoding.pixels.total())
    masks = [item.mask for item, _ in pairs]
    return found(code, masks, labels=ranges(outside), share=pixels, why=why, fix=fix)


def _some_from_one(case: Case, encoding: Encoding, labels: Labels, outside: Sequence[int]) -> Finding | None:
    """Masks that hold the label after the last class and never 0, among masks that do hold 0."""
    beyond = len(labels) + (labels.ignore == len(labels))  # the ignore label is one higher too
    if beyond not in outside or not {*outside} <= {beyond, labels.ignore + 1}:
        return None
    held = [(item.mask, values.counts.keys()) for item, r in encoding.numbered if (values := r.mask.values)]
    shifted = [file for file, values in held if beyond in values]
    zero = sum(0 in values for _, values in held)
    unclear = [file for file, values in held if not {0, beyond} & values and {*values} != {labels.ignore}]
    if not zero or any({0, beyond} <= values for _, values in held):  # a class that the list lacks, or to be ignored
        return None
    if (len(unclear) / (zero + len(unclear))) ** len(shifted) > CHANCE:
        return None
    also = (
        f"; {counted(len(unclear), 'mask')} with neither 0 nor {beyond} may be of either kind, so look at them and add "
        f"to the names those that are shifted too: {listed(sorted(map(str, unclear)), UNCLEAR)}"
    )
    return found(
        SOME,
        shifted,
        zero=zero,
        beyond=str(beyond),
        classes=str(len(labels)),
        last=str(len(labels) - 1),
        unclear=also if unclear else "",
        fix=_shift_some(case, shifted),
    )


def _shift_some(case: Case, masks: list[Path]) -> str:
    if case.sampled:  # the others are not known
        return f"this names them all, and the command that mends them:\n{command('check', case.survey.root)}"
    names = named_masks(case, masks)
    if names is None:
        return "subtract 1 from the labels of these masks"
    return import_command(case, "labels", "--offset", "-1", "--offset-in", names)


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
            why = "what does not occur cannot be learned"
            why = why if trains else "the split cannot tell how well they are segmented"
            yield found(
                "missing-classes",
                never,
                total=len(labels),
                place=place,
                names=listed(never),
                why=why + ("; in a small split that is to be expected" if pictures < 20 else ""),
                fix=_more(case, "add pictures that show them, take them off the list, or divide anew:"),
            )
        rare = [
            f"{name} ({share(count, total)} of the pixels, {counted(inside, 'picture')})"
            for name, count, inside in zip(labels.classes, pixels, files, strict=True)
            if inside and name not in double and (count < RARE_SHARE * total or inside < min(RARE_PICTURES, pictures))
        ]
        if rare:
            balance = "add pictures, or train with --class_balance 0.5"
            yield found(
                "rare-classes",
                (),
                len(rare),
                place=place,
                names=listed(rare, 4),
                why="they will be learned badly" if trains else "their IoU hangs on a few pixels or pictures",
                fix=balance if trains else _more(case, "add pictures to this split, or divide anew:"),
            )


def _more(case: Case, advice: str) -> str:
    """What a split that lacks classes needs."""
    if case.survey.in_place:
        return COMPLETE
    again = split_command(case, "--val 0.2", again=True) if case.survey.ready and case.labels else ""
    return f"{advice}\n{again}" if again else advice.removesuffix(", or divide anew:")


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
    readable = case.readable()
    parts = []
    for item, record in readable:
        assert record.mask.values is not None
        counts = record.mask.values.counts
        parts.append((item.mask, counts.get(labels.ignore, 0) / max(sum(counts.values()), 1)))
    everything = [mask for mask, part in parts if part == 1]
    mostly = sum(part > MOSTLY for _, part in parts)
    if everything:
        yield found("all-ignored", everything, ignore=str(labels.ignore))
    if mostly - len(everything) > len(readable) // 4:
        yield found("mostly-ignored", (), mostly, total=len(readable))


def ranges(labels: list[int]) -> str:
    """Numbers with runs shortened: "0-11, 255"."""
    parts: list[list[int]] = []
    for label in labels:
        if parts and label == parts[-1][-1] + 1:
            parts[-1][1:] = [label]
        else:
            parts.append([label])
    return listed(["-".join(map(str, part)) for part in parts], 12)
