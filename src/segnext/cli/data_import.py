"""`segnext data import`: foreign data sets to a data set folder."""

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segnext.cli.outputs import show
from segnext.data.formats.options import FORMATS, Options
from segnext.data.known import KNOWN
from segnext.errors import SegNextError
from segnext.progress import progress
from segnext.words import counted, quoted

if TYPE_CHECKING:
    from segnext.data.formats.journal import ImportRecord, ImportSummary

FLAGS = {"ignore_colors": "--ignore-color", "mapping": "--map"}  # options whose flag has another name
EXAMPLES = 3  # files named for each reason


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `segnext data import`; those of some formats only have no default here."""
    parser.description = (
        "Bring a data set of another format into images/SPLIT, masks/SPLIT and dataset.yaml. The source is only read; "
        "pictures are copied byte for byte; an interrupted import goes on when it is run again."
    )
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = "formats:\n" + "\n".join(f"  {name:12}{entry.does}" for name, entry in FORMATS.items())
    add = parser.add_argument
    add("source", type=Path, metavar="SOURCE", help="folder of the data set, for COCO also its JSON file")
    add("destination", type=Path, metavar="DEST", help="folder to write")
    add("--from", dest="kind", required=True, choices=FORMATS, metavar="FORMAT", help=", ".join(FORMATS))
    add("--split-from", default="auto", metavar="WHERE", help=_SPLIT_HELP)
    add("--exif", default="auto", choices=("auto", "upright", "stored"), help=_EXIF_HELP)
    add("--resize-masks", default="refuse", choices=("refuse", "nearest"), help=_RESIZE_HELP)
    add("--link", action="store_true", help="hard links to the pictures instead of copies, where the disk has them")
    add(
        "--bands", type=_names, metavar="RED,NIR,...", help="names of the pictures' bands, where they are not 8-bit RGB"
    )
    add("--nodata", type=float, metavar="VALUE", help="what stands for 'not measured' in the bands, as 0")
    some = parser.add_argument_group("for some formats", argument_default=argparse.SUPPRESS)
    add = some.add_argument
    add("--images", metavar="FOLDER", help="the pictures' folder in SOURCE, if its name does not tell")
    add("--masks", metavar="FOLDER", help="the masks' folder in SOURCE, if its name does not tell")
    add("--classes", metavar="FILE", help=_CLASSES_HELP)
    add("--like", metavar="NAME", help=f"the class list of a known label set: {', '.join(KNOWN)}")
    add("--names", type=_names, metavar="A,B,...", help="class names in the order of the labels; dark first for binary")
    add("--map", dest="mapping", type=_mapping, metavar="7:0,8:1,*:255", help=_MAP_HELP)
    add("--offset", type=int, metavar="N", help="add N to the labels, as -1 where 0 is to be ignored")
    add("--offset-in", type=_names, metavar="A,B,...", help="add it to the labels of the masks of these names alone")
    add("--ignore-color", dest="ignore_colors", type=_color, action="append", metavar="#RRGGBB", help=_COLOR_HELP)
    add("--tolerance", type=_tolerance, metavar="T", help=_TOLERANCE_HELP)
    add("--threshold", type=_grey, metavar="GREY", help="smallest grey level of the second class (128)")
    add("--others", choices=("refuse", "ignore"), help="values or annotations that no class claims (refuse)")
    add(
        "--rename",
        type=_renaming,
        metavar="OLD:NEW,...",
        help="other class names of annotations, as 'Car:car,auto:car'",
    )
    add("--invert", type=_names, metavar="A,B,...", help="exchange the two classes in the masks of these names")
    add("--merge", choices=("union", "order", "vote", "multi-label"), help=_MERGE_HELP)
    add("--background", metavar="CLASS", help="class of pixels in no shape, or 'ignore' (background)")


_SPLIT_HELP = "auto: the source's own split folders or lists; none: all to train; or a folder with train.txt, val.txt"
_EXIF_HELP = "what masks of EXIF-rotated pictures are drawn on where their size does not tell (auto: refuse them)"
_RESIZE_HELP = "masks of the picture's shape but another size: resized by nearest neighbour, or refused (refuse)"
_CLASSES_HELP = (
    "class list: a dataset.yaml, Roboflow's _classes.csv, a class_dict.csv of names and colours, CVAT's labelmap.txt "
    "or a text file of names (for colors, a name may be repeated for each further colour); or 'derive' to make one of "
    "the masks"
)
_MERGE_HELP = (
    "several masks of a picture: union of all; classes in the order of --names, later ones on top (order where masks "
    "name classes); vote of people; or multi-label"
)
_MAP_HELP = "source label:label; * for all others, 255 for the ignore label"
_COLOR_HELP = "ignore this colour; may be repeated"
_TOLERANCE_HELP = "take colours within this RGB distance for the nearest class's; grey levels for binary"


def run(args: argparse.Namespace) -> int:
    """Import, and say what became of every file."""
    from segnext.data.formats.run import import_dataset  # numpy and pillow load slowly

    options = _options(args)
    with progress("pairs") as watch:
        summary = import_dataset(args.kind, args.destination, options, watch)
    _print(summary, args.destination)
    if not summary.imported:
        return 2
    return 1 if summary.failed else 0


def _options(args: argparse.Namespace) -> Options:
    """The options given, all of which must mean something for the format."""
    common = {"source", "split_from", "exif", "resize_masks", "link", "bands", "nodata"}
    given: dict[str, Any] = {key: value for key, value in vars(args).items() if key in Options.__dataclass_fields__}
    for key in given.keys() - common:
        if key not in FORMATS[args.kind].options:
            flags = ", ".join(_flag(name) for name in FORMATS[args.kind].options) or "none"
            raise SegNextError(f"{_flag(key)} means nothing for --from {args.kind}, whose options are: {flags}")
    if "ignore_colors" in given:
        given["ignore_colors"] = tuple(given["ignore_colors"])
    return Options(**given)


def _flag(option: str) -> str:
    return FLAGS.get(option, f"--{option.replace('_', '-')}")


def _print(summary: "ImportSummary", destination: Path) -> None:
    splits = ", ".join(f"{count} {split}" for split, count in sorted(summary.splits().items()))
    kept = f"; {summary.kept} were there already" if summary.kept else ""
    show(f"imported: {counted(summary.imported, 'pair')}{f' ({splits})' if splits else ''}{kept}")
    for note, (amount, masks) in summary.notes().items():
        show(f"  {note}: {amount:,}" + ("" if note.startswith("masks") else f" (in {counted(masks, 'mask')})"))
    for remark in summary.remarks:
        show(f"  {remark}")
    reasons: dict[tuple[bool, str], list[ImportRecord]] = {}
    for record in summary.records:
        if not record.target:
            reasons.setdefault((record.expected, record.kind), []).append(record)
    for (expected, kind), records in sorted(reasons.items()):
        show(f"{'left out' if expected else 'not imported'}, {kind}: {len(records)}")
        for record in records[:EXAMPLES]:
            show(f"  {record.source}: {record.reason}")
        if len(records) > EXAMPLES:
            show(f"  ... and {len(records) - EXAMPLES} more")
    show(f"all files and reasons: {destination / 'import.jsonl'}")
    if summary.imported:
        lacks = ", without these (other options need another folder)" if summary.failed else ""
        show(f"data set: {destination}{lacks}; next: segnext data check {quoted(destination)}")


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(","))


def _mapping(text: str) -> tuple[tuple[int | None, int], ...]:
    pairs = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\*|\d+)\s*:\s*(\d+)\s*", part)
        if not match or int(match[2]) > 255 or (match[1] != "*" and int(match[1]) > 65535):
            raise argparse.ArgumentTypeError(f"'{part}' is not LABEL:LABEL, as in 7:0,8:1,*:255")
        pairs.append((None if match[1] == "*" else int(match[1]), int(match[2])))
    return tuple(pairs)


def _renaming(text: str) -> tuple[tuple[str, str], ...]:
    pairs = [part.rpartition(":")[::2] for part in text.split(",")]
    if not all(old.strip() and new.strip() for old, new in pairs):
        raise argparse.ArgumentTypeError(f"'{text}' is not OLD:NEW,..., as in 'Car:car,auto:car'")
    return tuple((old.strip(), new.strip()) for old, new in pairs)


def _color(text: str) -> tuple[int, int, int]:
    if match := re.fullmatch(r"#?([0-9a-fA-F]{6})", text):
        code = int(match[1], 16)
        return code >> 16, code >> 8 & 255, code & 255
    values = text.split(",")
    if len(values) != 3 or not all(value.strip().isdigit() and int(value) <= 255 for value in values):
        raise argparse.ArgumentTypeError(f"'{text}' is not a colour, as in #9b9b9b or 155,155,155")
    return int(values[0]), int(values[1]), int(values[2])


def _tolerance(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 442:  # the length of the RGB cube's diagonal
        raise argparse.ArgumentTypeError(f"{text} is outside 0 to 442")
    return value


def _grey(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 255:
        raise argparse.ArgumentTypeError(f"{text} is outside 1 to 255")
    return value
