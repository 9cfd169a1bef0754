"""`segnext data stats`: what a data set holds."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from segnext.cli.data_format import add_format
from segnext.cli.outputs import complain, require_writable, show, write_results
from segnext.progress import is_terminal
from segnext.words import counted, percent

if TYPE_CHECKING:
    from segnext.data.curate.stats import Stats
    from segnext.labels import Labels

POWER = 0.5  # of the class weights shown: the square root tames classes that differ a thousandfold


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `segnext data stats`."""
    parser.description = "Count pictures, sizes and the pixels of each class; mean and deviation of the bands."
    parser.add_argument("folder", type=Path, metavar="DIR", help="the data set's folder")
    add_format(parser)
    parser.add_argument("--split", metavar="S", help="this split only")
    parser.add_argument("--json", type=Path, metavar="F", help="write the statistics to this file, for programs")
    parser.add_argument("--picture", type=Path, metavar="F.png", help="draw them")


def run(args: argparse.Namespace) -> int:
    """Count, print, write what was asked for."""
    from segnext.data.curate.stats import survey, together
    from segnext.data.formats.public.open import open_data  # numpy and pillow load slowly
    from segnext.errors import SegNextError
    from segnext.progress import progress

    for flag, path in (("--json", args.json), ("--picture", args.picture)):
        if path:
            require_writable(path, flag)
    if args.picture and args.picture.suffix.lower() != ".png":
        raise SegNextError(f"{args.picture}: --picture writes a PNG; give a name that ends in .png")
    folder = open_data(args.folder, args.format)
    splits = [args.split] if args.split else folder.splits()
    if not splits:
        raise SegNextError(f"{args.folder}: there is no images/SPLIT folder in it; put the pictures there")
    with progress("pairs") as watch:
        stats = survey(folder, splits, watch)
    whole = together(list(stats.values()))
    _print(stats, whole, folder.labels)
    if args.json:
        content = {"name": folder.labels.name, "class_balance": POWER, **whole.to_dict(POWER)}
        content["splits"] = {split: part.to_dict(POWER) for split, part in stats.items()}
        write_results(content, args.json)
    if args.picture and whole.count:
        from segnext.data.curate.stats_picture import draw

        draw(stats, folder.labels.name, args.picture)
        show(f"picture: {args.picture}")
    if not whole.count:
        return 2
    return 1 if whole.failures else 0


def _print(stats: "dict[str, Stats]", whole: "Stats", labels: "Labels") -> None:
    from segnext.data.curate.stats import RGB

    for split, part in stats.items():
        mean, deviation = (", ".join(f"{value:.4g}" for value in values) for values in part.bands())
        names = "" if part.names == RGB else f"; bands {', '.join(part.names)}"
        show(f"{split}: {counted(part.count, 'picture')}, {_sizes(part)}{names}; mean {mean}; std {deviation}")
    if whole.count:
        _print_classes(stats, whole, labels)
    total = int(whole.pixels.sum()) + whole.ignored
    show(f"ignored: {100 * whole.ignored / max(1, total):.2f} % of {total:,} pixels")
    if whole.unmeasured:
        show(f"not measured in any band: {100 * whole.unmeasured / total:.2f} % more, which evaluation leaves out too")
    absent = [name for label, name in enumerate(labels.classes) if not whole.pixels[label]]
    if absent:
        show(f"classes that do not occur: {', '.join(absent)}")
    for failure in whole.failures:
        complain("data", failure)


def _print_classes(stats: "dict[str, Stats]", whole: "Stats", labels: "Labels") -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    several = len(stats) > 1
    columns = ["share", *(stats if several else ()), "pixels", "pictures", "weight"]
    table = Table("", "", "class", *columns, caption=f"weight: of the loss with --class_balance {POWER}")
    for column in (table.columns[0], *table.columns[3:]):
        column.justify = "right"
    weights, shares = whole.weights(POWER), whole.shares()
    for label, (name, color) in enumerate(zip(labels.classes, labels.colors, strict=True)):
        swatch = Text("  ", style="on rgb({},{},{})".format(*color))
        parts = [percent(part.shares()[label], 2) for part in stats.values()] if several else []
        pixels, pictures = f"{whole.pixels[label]:,}", str(whole.pictures[label])
        row = [percent(shares[label], 2), *parts, pixels, pictures, f"{weights[label]:.2f}"]
        table.add_row(str(label), swatch, Text(name), *row)
    Console(width=None if is_terminal(sys.stdout) else 160).print(table)


def _sizes(stats: "Stats") -> str:
    if not stats.sizes:
        return "none readable"
    heights, widths = zip(*stats.sizes, strict=True)
    (height, width), count = stats.sizes.most_common(1)[0]
    if len(stats.sizes) == 1:
        return f"all {width} x {height}"
    return (
        f"{len(stats.sizes)} sizes, {min(widths)} to {max(widths)} wide and {min(heights)} to {max(heights)} high, "
        f"most often {width} x {height} ({count})"
    )
