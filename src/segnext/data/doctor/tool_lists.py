"""A finding about the class lists that annotation tools leave: their colours are not those of the masks."""

from collections.abc import Iterator
from pathlib import Path

from segnext.data.doctor.advice import FEW_COLORS, import_command, tool_lists
from segnext.data.doctor.case import Case
from segnext.data.doctor.encoding import Encoding, codes, color_tolerance, main_colors
from segnext.data.doctor.findings import Finding, found
from segnext.data.doctor.masks import color_name
from segnext.labels import Labels, distinct_color
from segnext.words import counted, listed


def judge_tool_lists(case: Case, encoding: Encoding) -> Iterator[Finding]:
    """Lists with colours of which none has those of the masks."""
    lists = [(file, labels) for file, labels in tool_lists(case) if _has_colors(labels)]
    unlike = [(file, why) for file, labels in lists if (why := _unlike(encoding, file, labels))]
    if not unlike or len(unlike) < len(lists):
        return
    file, why = unlike[0]
    if encoding.kind == "colors":
        advice, fix = "make a class of each colour", import_command(case, "colors")
    else:
        advice = "take its names for the labels, whatever their colours"
        fix = import_command(case, "labels", "--classes", str(case.survey.root / file))
    yield found("list-colors", [file for file, _ in unlike], why=why, advice=advice, fix=fix)


def _has_colors(labels: Labels) -> bool:
    """Whether the colours are the list's own, not made up for one of names alone."""
    return labels.colors != tuple(map(distinct_color, range(len(labels))))


def _unlike(encoding: Encoding, file: Path, labels: Labels) -> str:
    """How the masks' colours differ from a list's; "" where they do not, or masks have none."""
    known = codes(labels)
    if encoding.kind == "colors":
        blurred = bool(color_tolerance(encoding))
        main = main_colors(encoding) if blurred else [color for color, _ in encoding.colors.most_common(FEW_COLORS)]
        strange = [color_name(color) for color in main if color not in known]
        if not strange:
            return ""
        absent = [name for name, color in zip(labels.classes, known, strict=True) if color not in main]
        said = f", and none has those of {listed(absent, 3)}" if absent else ""
        return f"the masks hold {counted(len(strange), 'colour')} that it lacks, {listed(strange, 3)}{said}"
    palette = {index: color for _, record in encoding.palette for index, color in record.mask.colors.items()}
    differ = [index for index, color in sorted(palette.items()) if index < len(known) and known[index] != color]
    if not differ:
        return ""
    index = differ[0]
    ours, theirs = color_name(known[index]), color_name(palette[index])
    meant = f", that of '{labels.classes[known.index(palette[index])]}' there" if palette[index] in known else ""
    return f"label {index} is '{labels.classes[index]}' in {ours} there, but {theirs} in the masks' palette{meant}"
