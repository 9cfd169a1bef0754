"""Findings about the kind of masks: colours, palettes, black and white, blur, depth, and those unlike the others."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

from segnext.data.doctor.advice import FEW_COLORS, full_import, import_command, named_masks
from segnext.data.doctor.case import Case, Pair, named
from segnext.data.doctor.encoding import (
    Encoding,
    are_swapped,
    binary_values,
    codes,
    color_tolerance,
    main_colors,
    mixed_binary,
)
from segnext.data.doctor.findings import Finding, Severity, found
from segnext.words import counted, listed, share

RARE_FILES, RARE_PIXELS = 0.2, 0.01  # below both shares, a colour is pointed out
CLOSE = 24  # levels of a channel by which colours differ that are probably meant to be one
FEWEST = 8  # masks of two classes, below which none can be called unusual
MOST = 0.3  # share of the masks that may be inverted; of more, either half may be right
CLEFT = 0.2  # between the share of the second class in inverted masks and in the others


def judge_masks(case: Case, encoding: Encoding) -> Iterator[Finding]:
    """Everything about masks that does not depend on the class list."""
    yield from _photos(case, encoding)
    yield from _colors(case, encoding)
    yield from _palettes(case, encoding)
    yield from _stray_colors(case, encoding)
    yield from _binary(case, encoding)
    yield from _blurred(case, encoding)
    yield from _depth(case, encoding)
    yield from _inverted(case, encoding)
    if not case.sampled:
        yield from _shared(case)


def color_name(color: int) -> str:
    """A colour as people and tools write it."""
    return f"({color >> 16},{color >> 8 & 255},{color & 255})"


def _masks(pairs: list[Pair]) -> list[Path]:
    return [item.mask for item, _ in pairs]


def _photos(case: Case, encoding: Encoding) -> Iterator[Finding]:
    if encoding.photos:
        fix = full_import(case, encoding) if are_swapped(encoding) else "put the masks into the masks' folder"
        yield found("photo-masks", _masks(encoding.photos), fix=fix)


def _colors(case: Case, encoding: Encoding) -> Iterator[Finding]:
    if encoding.color:
        alpha = Counter(record.mask.alpha for _, record in encoding.color)
        more = " (alpha is opaque everywhere and can go)" if alpha["opaque"] and not alpha["varied"] else ""
        yield found(
            "color-masks",
            _masks(encoding.color),
            kind="RGBA" if alpha["opaque"] + alpha["varied"] == len(encoding.color) else "RGB",
            total=len(case.records),
            alpha=f" ({alpha['varied']} with transparent parts)" if alpha["varied"] else more,
            colors="more than 250" if len(encoding.colors) > 250 else str(len(encoding.colors)),
            main=listed((color_name(color) for color, _ in encoding.colors.most_common(FEW_COLORS)), 6),
            fix=_mend_colors(case, encoding),
        )
    groups = (("grey", encoding.grey), ("palette", encoding.palette), ("RGB", encoding.color))
    kinds = [(name, pairs) for name, pairs in groups if pairs]
    if len(kinds) > 1:
        known = encoding.kind == "colors" or mixed_binary(encoding)[0]
        by_hand = "make sure that grey values and palette indices mean the same, then save all as one kind"
        yield found(
            "mixed-masks",
            [_masks(pairs)[0] for _, pairs in kinds],
            min(len(pairs) for _, pairs in kinds),
            severity=Severity.ERROR if encoding.color else None,
            kinds=", ".join(f"{len(pairs):,} {name}" for name, pairs in kinds),
            fix=full_import(case, encoding) if known else by_hand,
        )


def _mend_colors(case: Case, encoding: Encoding) -> str:
    if encoding.kind == "colors":
        return full_import(case, encoding)
    if encoding.kind == "binary":
        advice = "save them black and white as the others; this names them and takes the rest"
        return f"{advice}:\n{full_import(case, encoding)}"
    return import_command(case, "colors", *color_tolerance(encoding))


def _palettes(case: Case, encoding: Encoding) -> Iterator[Finding]:
    if encoding.clashes:
        index, colors = next(iter(encoding.clashes.items()))
        yield found(
            "palettes-differ",
            _masks(encoding.palette),
            index=str(index),
            colors=listed(map(color_name, sorted(colors)), 3),
            fix=full_import(case, encoding),
        )
    elif encoding.palette and encoding.kind != "colors":
        yield _one_palette(case, encoding)


def _one_palette(case: Case, encoding: Encoding) -> Finding:
    """All masks share a palette: its indices are the labels, unless the class list gives the colours to others."""
    palette = {index: color for _, record in encoding.palette for index, color in record.mask.colors.items()}
    by_color = {color: label for label, color in enumerate(codes(case.labels) if case.labels else ())}
    moved = [(i, by_color[color]) for i, color in palette.items() if by_color.get(color, i) != i]
    if case.labels is None or len(moved) < 2:
        return found("palette-masks", (), len(encoding.palette), indices=listed(sorted(palette), 12))
    index, meant = moved[0]
    return found(
        "palette-order",
        _masks(encoding.palette),
        len(moved),
        index=str(index),
        meant=str(meant),
        name=case.labels.classes[meant],
        fix=import_command(case, "colors"),
    )


def _stray_colors(case: Case, encoding: Encoding) -> Iterator[Finding]:
    if encoding.kind != "colors":
        return
    total, colors = encoding.colors.total(), encoding.colors
    blurred = bool(color_tolerance(encoding))
    if blurred:  # every mask has colours of its own between those that are meant
        colors = Counter({color: encoding.colors[color] for color in main_colors(encoding)})
    if case.labels:
        known = {*codes(case.labels)}
        stray = {color: n for color, n in colors.items() if not _is_near(color, known, blurred)}
        what, severity = "that dataset.yaml does not list", Severity.ERROR
    elif len(colors) <= FEW_COLORS:
        files = len(encoding.color) + len(encoding.palette)
        stray = {
            color: n
            for color, n in colors.items()
            if n < RARE_PIXELS * total and encoding.color_files[color] < RARE_FILES * files
        }
        what, severity = "that hardly any mask has", Severity.WARNING
    else:
        return
    if case.labels and len(stray) == len(colors):
        yield found("foreign-colors", (), len(stray), fix=import_command(case.without_list(), "colors"))
    if not stray or len(stray) == len(colors):
        return
    order = sorted(stray, key=lambda color: -stray[color])
    main = [color for color in colors if color not in stray]
    ignored = (word for color in order[:4] for word in ("--ignore-color", f"#{color:06x}"))
    yield found(
        "stray-colors",
        [item.mask for item, record in encoding.color + encoding.palette if order[0] in record.mask.all_colors()],
        len(stray),
        severity=severity,
        what=what,
        share=share(sum(stray.values()), total),
        colors=listed(
            (f"{color_name(c)} in {counted(encoding.color_files[c], 'mask')}{_near(c, main)}" for c in order), 4
        ),
        fix=import_command(case, "colors", *ignored),
    )


def _near(color: int, main: list[int]) -> str:
    """The main colour that this one is meant to be, if one is near."""
    nearest = min(main, key=lambda other: _distance(color, other))
    return f", near {color_name(nearest)}" if _distance(color, nearest) <= CLOSE else ""


def _is_near(color: int, known: set[int], blurred: bool) -> bool:
    """Whether a colour is one of those known; of blurred masks, nearly one."""
    return color in known or (blurred and any(_distance(color, other) <= CLOSE for other in known))


def _distance(one: int, other: int) -> int:
    return max(abs((one >> shift & 255) - (other >> shift & 255)) for shift in (0, 8, 16))


def _binary(case: Case, encoding: Encoding) -> Iterator[Finding]:
    if encoding.kind == "binary":
        ignored = case.labels is not None and case.labels.ignore == 255
        why = "255 is the label to ignore: training would see one class and nothing else"
        why = why if ignored else "labels count from 0: the second class is 1, not 255"
        why += "" if case.labels else "; the import names the classes by --names, the dark one first"
        yield found("binary-masks", _masks(encoding.numbered), why=why, fix=full_import(case, encoding))
        return
    low, high = binary_values(encoding)
    white, ones = mixed_binary(encoding)
    if white:
        files = [_masks(white)[0], _masks(ones)[0]]
        fix = full_import(case, encoding)
        yield found("mixed-binary", files, len(white), low=str(low), high=str(high), ones=len(ones), fix=fix)


def _blurred(case: Case, encoding: Encoding) -> Iterator[Finding]:
    every = encoding.numbered + encoding.color
    pairs = [pair for pair in every if pair[1].mask.blurred]
    lossy = [pair for pair in every if pair[1].mask.format in ("JPEG", "MPO")]
    if not pairs and not lossy:
        return
    shown = pairs if len(pairs) >= len(lossy) else lossy
    most = max(record.mask.values.distinct if record.mask.values else 0 for _, record in shown)
    jpeg = f", {len(lossy):,} of them JPEG" if lossy else ""
    by_hand = "write the masks again as PNG, resized by nearest neighbour and drawn without anti-aliasing"
    divided = "; the import divides them at grey 128, or ignores them by --others ignore --tolerance 20"
    yield found(
        "blurred-masks",
        _masks(shown),
        how=f"anti-aliased, interpolated or compressed with loss{jpeg}" if pairs else "JPEG",
        distinct=f", up to {most:,} values in one mask" if most else "",
        more=divided if encoding.kind == "binary" else "",
        fix=by_hand if encoding.kind == "labels" else full_import(case, encoding),
    )


def _depth(case: Case, encoding: Encoding) -> Iterator[Finding]:
    """Masks that are more than one 8-bit number per pixel, though no colours."""
    for kind, pairs in (
        ("16-bit-masks", [pair for pair in encoding.grey if pair[1].mask.mode.startswith("I")]),
        ("float-masks", [pair for pair in encoding.grey if pair[1].mask.mode == "F"]),
        ("grey-rgb-masks", [pair for pair in encoding.grey if pair[1].mask.equal_channels]),
    ):
        if pairs:
            counts = [values.counts for _, record in pairs if (values := record.mask.values)]
            largest = max((max(count) for count in counts), default=0)
            fix = full_import(case, encoding)
            if any(min(count) < 0 for count in counts):
                fix = (
                    "save whole numbers, for example numpy.rint(mask * (classes - 1)), as 8-bit PNG; for two classes, "
                    f"this divides them in the middle:\n{fix}"
                )
            yield found(
                kind,
                _masks(pairs),
                kinds=listed(f"{number:,} {mode}" for mode, number in _modes(pairs).most_common()),
                largest=f", values up to {largest:,}" if largest > 0 else "",
                fix=fix,
            )
    shapes = [(item, r.mask) for item, r in case.pairs() if r.mask.mode == "bands" or r.mask.frames > 1]
    if shapes:
        layers = [(i.mask, f"{m.frames} pages" if m.frames > 1 else f"{m.bands} bands") for i, m in shapes]
        yield found("multi-band-masks", [named(file, what) for file, what in layers])


def _modes(pairs: list[Pair]) -> Counter[str]:
    return Counter(record.mask.mode for _, record in pairs)


def _inverted(case: Case, encoding: Encoding) -> Iterator[Finding]:
    """Masks of two classes in a few of which the classes have changed places."""
    two = case.labels is not None and len(case.labels) == 2
    ignored = {case.labels.ignore} if case.labels and two and {0, 1} <= encoding.solid else set()
    low, *rest = sorted(encoding.solid - ignored) or [0]
    if len(rest) != 1 or len(encoding.numbered) < FEWEST:
        return
    shares: list[tuple[float, Path]] = []
    for item, record in encoding.numbered:
        counts = record.mask.values.counts if record.mask.values else {}
        both = counts.get(low, 0) + counts.get(rest[0], 0)
        if both:
            shares.append((counts.get(rest[0], 0) / both, item.mask))
    shares.sort(reverse=True)
    few = [part for part, _ in shares if part > 0.5]
    usual = [part for part, _ in shares if part <= 0.5]
    if len(few) > len(usual):  # the second class is the larger one
        few, usual, shares = [1 - part for part in usual], [1 - part for part in few], shares[::-1]
    if not few or len(few) > MOST * len(shares) or min(few) - max(usual) < CLEFT:
        return
    names = [name for _, name in shares[: len(few)]]
    yield found(
        "inverted-masks",
        names,
        total=len(shares),
        few=f"{100 * min(few):.0f}",
        usual=f"{100 * max(usual):.0f}",
        fix=_invert(case, encoding, {low, rest[0]}, names),
    )


def _invert(case: Case, encoding: Encoding, values: set[int], masks: list[Path]) -> str:
    """What inverts masks of black and white, or of 0 and 1."""
    source = {(0, 1): "labels", (0, 255): "binary"}.get((min(values), max(values)))
    names = named_masks(case, masks)
    colored = encoding.color or encoding.kind == "colors" or (encoding.palette and source == "binary")
    if source is None or names is None or colored:
        return "invert those that are wrong"
    return f"leave the names of those that are right out of this:\n{import_command(case, source, '--invert', names)}"


def _shared(case: Case) -> Iterator[Finding]:
    """One mask for several pictures, unless these are copies of each other or the mask holds one value only."""
    groups: dict[bytes, list[int]] = defaultdict(list)
    for index, record in enumerate(case.records):
        if record.mask.values is not None and record.mask.values.distinct > 1 and record.image.digest:
            groups[record.mask.digest].append(index)
    lines: list[str] = []
    for group in groups.values():
        first, *others = sorted({case.records[index].image.digest: index for index in group}.values())
        lines += [f"{case.survey.items[first].mask} = {case.survey.items[other].mask}" for other in others]
    if lines:
        yield found("same-masks", lines)
