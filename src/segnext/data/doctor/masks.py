"""Findings about the kind of masks: colours, palettes, black and white, blur."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from segnext.data.doctor.advice import FEW_COLORS, full_import, import_command
from segnext.data.doctor.case import Case
from segnext.data.doctor.depth import judge_depth
from segnext.data.doctor.encoding import (
    Encoding,
    Pair,
    are_swapped,
    binary_values,
    color_tolerance,
    main_colors,
    mixed_binary,
)
from segnext.data.doctor.findings import Finding, Severity, examples
from segnext.words import counted, listed, share

RARE_FILES, RARE_PIXELS = 0.2, 0.01  # below both shares, a colour is pointed out
CLOSE = 24  # levels of a channel by which colours differ that are probably meant to be one


def judge_masks(case: Case, found: Encoding) -> Iterator[Finding]:
    """Everything about masks that does not depend on the class list."""
    yield from _photos(case, found)
    yield from _colors(case, found)
    yield from _palettes(case, found)
    yield from _stray_colors(case, found)
    yield from _binary(case, found)
    yield from _blurred(case, found)
    yield from judge_depth(case, found)


def color_name(color: int) -> str:
    """A colour as people and tools write it."""
    return f"({color >> 16},{color >> 8 & 255},{color & 255})"


def _masks(pairs: list[Pair]) -> list[str]:
    return [str(item.mask) for item, _ in pairs]


def _photos(case: Case, found: Encoding) -> Iterator[Finding]:
    if found.photos:
        yield Finding(
            "photo-masks",
            Severity.ERROR,
            f"{counted(len(found.photos), 'mask')} that look{'' if len(found.photos) > 1 else 's'} like photographs",
            "they hold thousands of values all over, as pictures do; perhaps the folders are swapped",
            full_import(case.survey, found) if are_swapped(found) else "put the masks into the masks' folder",
            len(found.photos),
            examples(_masks(found.photos)),
        )


def _colors(case: Case, found: Encoding) -> Iterator[Finding]:
    if found.color:
        main = [color for color, _ in found.colors.most_common(FEW_COLORS)]
        alpha = Counter(record.mask.alpha for _, record in found.color)
        kind = "RGBA" if alpha["opaque"] + alpha["varied"] == len(found.color) else "RGB"
        more = " (alpha is opaque everywhere and can go)" if alpha["opaque"] and not alpha["varied"] else ""
        if alpha["varied"]:
            more = f" ({alpha['varied']} with transparent parts)"
        number = "more than 250" if len(found.colors) > 250 else str(len(found.colors))
        yield Finding(
            "color-masks",
            Severity.ERROR,
            f"{counted(len(found.color), f'{kind} mask')} of {len(case.records):,}{more}, {number} colours: "
            f"{listed(map(color_name, main), 6)}",
            "training reads one label per pixel and refuses them",
            _mend_colors(case, found),
            len(found.color),
            examples(_masks(found.color)),
        )
    kinds = [pairs for pairs in (found.grey, found.palette, found.color) if pairs]
    if len(kinds) > 1:
        names = [
            name for name, pairs in (("grey", found.grey), ("palette", found.palette), ("RGB", found.color)) if pairs
        ]
        mixed = [f"{len(pairs):,} {name}" for name, pairs in zip(names, kinds, strict=True)]
        yield Finding(
            "mixed-masks",
            Severity.ERROR if found.color else Severity.WARNING,
            f"masks of several kinds: {', '.join(mixed)}",
            "the same class is written in different ways: read as they are, indices and colours get confused",
            full_import(case.survey, found)
            if found.kind == "colors" or mixed_binary(found)[0]
            else "make sure that grey values and palette indices mean the same, then save all as one kind",
            min(map(len, kinds)),
            tuple(_masks(pairs)[0] for pairs in kinds),
        )


def _mend_colors(case: Case, found: Encoding) -> str:
    if found.kind == "colors":
        return full_import(case.survey, found)
    if found.kind == "binary":
        return (
            f"save them black and white as the others; {full_import(case.survey, found)} names them and takes the rest"
        )
    return import_command(case.survey, "colors", *color_tolerance(found))


def _palettes(case: Case, found: Encoding) -> Iterator[Finding]:
    if found.clashes:
        index, colors = next(iter(found.clashes.items()))
        yield Finding(
            "palettes-differ",
            Severity.ERROR,
            f"{counted(len(found.palette), 'palette mask')} with different palettes: index {index} is "
            f"{listed(map(color_name, sorted(colors)), 3)}",
            "the index of a class changes from file to file, so the colours are what counts, not the indices",
            full_import(case.survey, found),
            len(found.palette),
            examples(_masks(found.palette)),
        )
    elif found.palette and found.kind != "colors":
        yield from _one_palette(case, found)


def _one_palette(case: Case, found: Encoding) -> Iterator[Finding]:
    """All masks share a palette: its indices are the labels, unless the class list gives the colours to others."""
    palette = {index: color for _, record in found.palette for index, color in record.mask.colors.items()}
    moved = []
    if case.labels:
        by_color = {red << 16 | green << 8 | blue: i for i, (red, green, blue) in enumerate(case.labels.colors)}
        moved = [(i, by_color[color]) for i, color in palette.items() if color in by_color and by_color[color] != i]
    if case.labels and len(moved) >= 2:
        index, meant = moved[0]
        yield Finding(
            "palette-order",
            Severity.WARNING,
            f"the masks' palette orders the colours unlike dataset.yaml: index {index} has the colour "
            f"of class {meant} '{case.labels.classes[meant]}'",
            "training goes by the indices; if the colours are right, every class gets another one's name",
            f"if the colours are right: {import_command(case.survey, 'colors')}; else mend the colours in dataset.yaml",
            len(moved),
            examples(_masks(found.palette)),
        )
        return
    yield Finding(
        "palette-masks",
        Severity.NOTE,
        f"{counted(len(found.palette), 'mask')} with one and the same palette, indices {listed(sorted(palette), 12)}",
        "the indices are the labels; the colours are for viewing alone",
        "nothing to do",
        len(found.palette),
    )


def _stray_colors(case: Case, found: Encoding) -> Iterator[Finding]:
    if found.kind != "colors":
        return
    total = found.colors.total()
    if color_tolerance(found):  # every mask has colours of its own between those that are meant
        total, main = found.colors.total(), main_colors(found)
        colors = Counter({color: found.colors[color] for color in main})
    else:
        colors = found.colors
    if case.labels:
        known = {red << 16 | green << 8 | blue for red, green, blue in case.labels.colors}
        stray = {color: n for color, n in colors.items() if not _is_near(color, known, colors is not found.colors)}
        what, severity = "that dataset.yaml does not list", Severity.ERROR
    elif len(colors) <= FEW_COLORS:
        files = sum(map(len, (found.color, found.palette)))
        stray = {
            color: n
            for color, n in colors.items()
            if n < RARE_PIXELS * total and found.color_files[color] < RARE_FILES * files
        }
        what, severity = "that hardly any mask has", Severity.WARNING
    else:
        return
    if case.labels and len(stray) == len(colors):
        yield Finding(
            "foreign-colors",
            Severity.ERROR,
            f"none of the masks' {counted(len(stray), 'colour')} is one of dataset.yaml's",
            "the classes are told by their colours, so these must be the same",
            "give the classes the masks' colours in dataset.yaml, or let "
            f"'{import_command(replace(case.survey, labels=None), 'colors')}' name the classes after their colours",
            len(stray),
        )
    if not stray or len(stray) == len(colors):
        return
    order = sorted(stray, key=lambda color: -stray[color])
    main = [color for color in colors if color not in stray]
    shown = [f"{color_name(c)} in {counted(found.color_files[c], 'mask')}{_near(c, main)}" for c in order]
    pairs = [pair for pair in found.color + found.palette if _has(pair, order[0])]
    yield Finding(
        "stray-colors",
        severity,
        f"{counted(len(stray), 'colour')} {what} ({share(sum(stray.values()), total)} of the pixels): "
        f"{listed(shown, 4)}",
        "a slip of the brush, pixels left unlabelled or blur; as a class of its own it would only confuse",
        "correct them, or "
        + import_command(case.survey, "colors", *(word for c in order[:4] for word in ("--ignore-color", f"#{c:06x}"))),
        len(stray),
        examples(_masks(pairs)),
    )


def _has(pair: Pair, color: int) -> bool:
    mask = pair[1].mask
    return color in mask.colors.values() if mask.mode == "P" else bool(mask.values and color in mask.values.counts)


def _near(color: int, main: list[int]) -> str:
    """The main colour that this one is meant to be, if one is near."""
    nearest = min(main, key=lambda other: _distance(color, other))
    return f", near {color_name(nearest)}" if _distance(color, nearest) <= CLOSE else ""


def _is_near(color: int, known: set[int], blurred: bool) -> bool:
    """Whether a colour is one of those known; of blurred masks, nearly one."""
    return color in known or (blurred and any(_distance(color, other) <= CLOSE for other in known))


def _distance(one: int, other: int) -> int:
    return max(abs((one >> shift & 255) - (other >> shift & 255)) for shift in (0, 8, 16))


def _binary(case: Case, found: Encoding) -> Iterator[Finding]:
    if found.kind == "binary":
        ignored = case.labels is not None and case.labels.ignore == 255
        yield Finding(
            "binary-masks",
            Severity.ERROR,
            f"{counted(len(found.numbered), 'mask')} of 0 and 255, black and white",
            (
                "255 is the label to ignore: training would see one class and nothing else"
                if ignored
                else "labels count from 0: the second class is 1, not 255"
            )
            + ("" if case.labels else "; the import names the classes by --names, the dark one first"),
            full_import(case.survey, found),
            len(found.numbered),
            examples(_masks(found.numbered)),
        )
        return
    low, high = binary_values(found)
    white, ones = mixed_binary(found)
    if white:
        yield Finding(
            "mixed-binary",
            Severity.ERROR,
            f"{counted(len(white), 'mask')} of 0 and {high} among {counted(len(ones), 'mask')} of 0 and {low}",
            "the same class is written in two ways",
            full_import(case.survey, found),
            len(white),
            (_masks(white)[0], _masks(ones)[0]),
        )


def _blurred(case: Case, found: Encoding) -> Iterator[Finding]:
    pairs = [pair for pair in found.numbered + found.color if _is_blurred(pair)]
    lossy = [pair for pair in found.numbered + found.color if pair[1].mask.format in ("JPEG", "MPO")]
    if not pairs and not lossy:
        return
    every = pairs if len(pairs) >= len(lossy) else lossy
    _, example = max(every, key=lambda pair: pair[1].mask.values.distinct if pair[1].mask.values else 0)
    values = example.mask.values
    distinct = f", up to {values.distinct:,} values in one mask" if values else ""
    jpeg = f", {len(lossy):,} of them JPEG" if lossy and pairs else ""
    fix = {
        "binary": full_import(case.survey, found),
        "colors": full_import(case.survey, found),
        "labels": "write the masks again as PNG, resized by nearest neighbour and drawn without anti-aliasing",
    }[found.kind]
    yield Finding(
        "blurred-masks",
        Severity.ERROR,
        f"{counted(len(every), 'mask')} {'are' if len(every) > 1 else 'is'} "
        + (f"anti-aliased, interpolated or compressed with loss{jpeg}{distinct}" if pairs else f"JPEG{distinct}"),
        "the values between those of neighbouring classes are labels that mean nothing, or other classes"
        + (
            "; the import divides them at grey 128, or ignores them by --others ignore --tolerance 20"
            if found.kind == "binary"
            else ""
        ),
        fix,
        len(every),
        examples(_masks(every)),
    )


def _is_blurred(pair: Pair) -> bool:
    values = pair[1].mask.values
    return values is not None and values.blurred
