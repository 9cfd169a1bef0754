"""Rasters of any size in `segnext predict`: `--out labels.tif`."""

import argparse
import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from segnext.cli.options import load_segmenter
from segnext.cli.outputs import show, write_results
from segnext.errors import SegNextError
from segnext.inference.kinds import VIDEOS
from segnext.progress import progress
from segnext.words import percent

if TYPE_CHECKING:
    from segnext.inference.rasters.run import RasterSummary

SUFFIXES = (".tif", ".tiff")
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif")
OTHERS = (".jp2", ".geotiff", ".gtiff", ".cog", ".vrt", ".img", ".gpkg", ".geojson", ".fgb")
OPTIONS = ("polygons", "probabilities", "confidence", "simplify", "tile", "overlap", "d4")


def add_rasters(parser: argparse.ArgumentParser) -> None:
    """Declare the options for rasters."""
    group = parser.add_argument_group(
        "rasters", "with --out labels.tif: one raster of any size, in tiles that fade into each other"
    )
    group.add_argument("--polygons", type=Path, metavar="F", help="areas, as .gpkg, .geojson (in WGS 84) or .fgb")
    group.add_argument("--simplify", type=float, metavar="PIXELS", help="how far the polygons' edges may move")
    group.add_argument("--confidence", type=Path, metavar="F.tif", help="the probability of each label")
    group.add_argument("--probabilities", type=Path, metavar="F.tif", help="those of all classes, a band for each")
    group.add_argument("--tile", type=int, metavar="N", help="side of a tile in pixels (default: 512)")
    group.add_argument("--overlap", type=int, metavar="N", help="of neighbouring tiles in pixels (default: 128)")
    group.add_argument("--d4", action="store_const", const=True, help="look at tiles turned and mirrored in all 8 ways")
    group.add_argument(
        "--share",
        type=_share,
        metavar="I/N",
        help="make the I-th of N parts, so that N processes or machines share the work (default: torchrun's, or 1/1)",
    )


def wants_raster(args: argparse.Namespace) -> bool:
    """Whether the options ask for a raster of labels.

    Raises:
        SegNextError: when they contradict each other.
    """
    if args.out.suffix.lower() in SUFFIXES:
        if len(args.paths) != 1:
            raise SegNextError(f"--out {args.out} takes one raster; give one PATH, or a folder as --out")
        if Path(args.paths[0]).is_dir():
            raise SegNextError(f"{args.paths[0]}: a folder; --out {args.out} takes one raster, give a folder as --out")
        return True
    if args.out.suffix.lower() in OTHERS and not args.out.is_dir():
        raise SegNextError(f"--out {args.out}: a raster's labels are written as .tif; or name a folder for pictures")
    if args.out.suffix.lower() in (*PICTURES, *VIDEOS) and not args.out.is_dir():
        raise SegNextError(f"--out {args.out} is the folder of masks and overlays; name it without {args.out.suffix}")
    given = [f"--{name}" for name in OPTIONS if getattr(args, name) is not None]
    if given:
        raise SegNextError(f"{given[0]} is for rasters; say where the labels go with --out labels.tif")
    return False


def run_raster(args: argparse.Namespace, streams: int) -> int:
    """Segment one raster, say what was found and where it is."""
    from segnext.inference.rasters.run import Outputs, segment_raster, summary_of_finished
    from segnext.inference.unfinished import own_share

    outputs = Outputs(args.out, args.polygons, args.confidence, args.probabilities, args.simplify or 0)
    chosen = {name: getattr(args, name) for name in ("tile", "overlap", "d4") if getattr(args, name) is not None}
    segmenter = load_segmenter(args, streams=streams)
    with progress("strips") as watch:
        summary = segment_raster(
            segmenter,
            args.paths[0],
            outputs,
            share=args.share or own_share(),
            progress=lambda done, total: watch("predict", done, total),
            **chosen,
        )
    if summary is not None:
        _print(summary)
    elif args.out.exists():
        show(f"labels: {args.out}, finished already")
        if args.json:  # which may have failed alone, or is asked for now
            summary = summary_of_finished(segmenter, args.paths[0], outputs)
    else:
        show(f"this part is done; the process that ends last writes {args.out}")
    if args.json:
        write_results(None if summary is None else asdict(summary), args.json)
    return 0


def _print(summary: "RasterSummary") -> None:
    missing = "" if summary.measured == 1 else f", {percent(summary.measured)} of it measured"
    show(f"{summary.file}  {summary.width} x {summary.height}{missing}  {summary.seconds:.0f} s")
    for name, share in sorted(summary.shares.items(), key=lambda item: -item[1]):
        area = "" if summary.square_metres is None else f"  {summary.square_metres[name]:,.0f} m2"
        if share:
            show(f"  {name}  {percent(share)}{area}")
    for kind, file in summary.files.items():
        show(f"{kind}: {file}")
    if "polygons" in summary.files and summary.square_metres is None:
        show("the raster has no coordinate system; polygons are in its pixels, x to the right and y down")


def _share(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"([1-9]\d{0,5})/([1-9]\d{0,5})", text)
    if not found or int(found[1]) > int(found[2]):
        raise argparse.ArgumentTypeError(f"'{text}' is not I/N, such as 1/4 for the first of four")
    return int(found[1]) - 1, int(found[2])
