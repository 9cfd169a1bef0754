"""`segnext data check`: what is wrong with a folder of pictures and masks, and what mends it."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from segnext.cli.data_format import add_format
from segnext.cli.outputs import show, write_results
from segnext.errors import SegNextError
from segnext.progress import progress

if TYPE_CHECKING:
    from segnext.data.rasters.split import Rasters


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `segnext data check`."""
    parser.description = (
        "Look into every picture and mask of a data set, or of any folder that is to become one, and say what is "
        "wrong and what mends it. Nothing is changed."
    )
    parser.epilog = (
        "exit code: 0 clean or only notes, 1 errors or warnings were found, 2 there was nothing to check or it could "
        "not be read"
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="the folder; any common layout")
    add_format(parser)
    parser.add_argument("--images", metavar="FOLDER", help="the pictures' folder in DIR, if its name does not tell")
    parser.add_argument("--masks", metavar="FOLDER", help="the masks' folder in DIR, or a pattern such as '*_mask.png'")
    parser.add_argument("--json", type=Path, metavar="F", help="write the findings to this file, for programs")
    parser.add_argument(
        "--sheet", type=Path, metavar="F.html|F.png", help="draw masks over pictures, classes and sizes"
    )


def run(args: argparse.Namespace) -> int:
    """Check, print the report, write the files asked for."""
    from rich.console import Console

    from segnext.cli.outputs import require_writable
    from segnext.data.doctor.check import check
    from segnext.data.doctor.verdict import exit_code, print_report, to_dict
    from segnext.data.formats.public.open import OPENERS

    if args.sheet and args.sheet.suffix.lower() not in (".html", ".png"):
        raise SegNextError(f"{args.sheet}: the sheet is an HTML page or a PNG; give --sheet a name that ends in either")
    for flag, path in (("--json", args.json), ("--sheet", args.sheet)):
        if path:
            require_writable(path, flag)
    rasters = None if args.format else _rasters(args.folder)
    if rasters is not None:
        return _check_rasters(rasters, args)
    with progress("pairs") as watch:
        data = OPENERS[args.format](args.folder) if args.format else args.folder
        report = check(data, lambda done, total: watch("check", done, total), images=args.images, masks=args.masks)
    print_report(report, Console(highlight=False))
    if args.json:
        write_results(to_dict(report), args.json, "findings")
    if args.sheet:
        from segnext.data.doctor.sheet import write_sheet

        write_sheet(report, args.sheet)
        show(f"sheet: {args.sheet}")
    return exit_code(report)


def _rasters(folder: Path) -> "Rasters | None":
    """The data set in a folder, if its dataset.yaml lists rasters."""
    from segnext.data.folder import Folder
    from segnext.data.rasters.split import Rasters

    if not (folder / "dataset.yaml").is_file():
        return None
    try:
        return Rasters.of(Folder.open(folder))
    except SegNextError as error:
        if "'rasters'" in str(error):
            raise
        return None  # what is wrong there, the examination says


def _check_rasters(data: "Rasters", args: argparse.Namespace) -> int:
    """Check, print what was found, write the file asked for."""
    from rich.console import Console

    from segnext.data.doctor.rasters import judge_rasters
    from segnext.data.doctor.verdict import print_findings

    if args.sheet:
        raise SegNextError(f"{args.folder}: there is no sheet of rasters; look at them in a GIS")
    findings = judge_rasters(data, data.splits())
    counts = ", ".join(f"{split} {len(data.sources[split])}" for split in data.splits())
    show(f"{args.folder}: rasters ({counts})")
    print_findings(findings, Console(highlight=False))
    if args.json:
        write_results({"folder": str(args.folder), "findings": [finding.to_dict() for finding in findings]}, args.json)
    return int(any(finding.severity.name != "NOTE" for finding in findings))
