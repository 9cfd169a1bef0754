"""`segnext predict`: pictures to masks."""

import argparse
import os
from collections.abc import Iterator
from dataclasses import asdict
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segnext.cli.options import add_engine, add_testing, add_threshold, add_weights, load_segmenter
from segnext.cli.outputs import complain, require_writable, show, write_results
from segnext.cli.rasters import add_rasters, run_raster, wants_raster
from segnext.cli.videos import add_videos, run_video, videos_among
from segnext.progress import progress
from segnext.words import counted, listed, percent

if TYPE_CHECKING:
    from segnext.inference.outputs import Record
    from segnext.inference.predict import Summary
    from segnext.inference.segmenter import Segmenter
    from segnext.labels import Labels

# Pictures at a time, for one alone too: on how the cores are shared depends how sums are rounded, and a picture must
# get the same mask alone and in a folder.
STREAMS = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `segnext predict`."""
    parser.add_argument(
        "paths", nargs="+", metavar="PATH", help="image, folder of images, glob, video, or address of a stream"
    )
    add_weights(parser)
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("predictions"),
        metavar="DIR",
        help="folder for masks, overlays and results.jsonl (default: predictions), or labels.tif for one raster",
    )
    add_engine(parser, precision="auto")
    add_testing(parser)
    add_threshold(parser)
    add_rasters(parser)
    add_videos(parser)
    parser.add_argument(
        "--mask",
        choices=("palette", "grey"),
        default="palette",
        help="masks in the classes' colours, or grey, for programs such as OpenCV; the values are labels in both",
    )
    parser.add_argument("--json", type=Path, metavar="F", help="write all results to this file, or - for stdout")


def run(args: argparse.Namespace) -> int:
    """Segment, say what was found, say where the outputs are."""
    if args.json:
        require_writable(args.json, "--json")
    if wants_raster(args):
        return run_raster(args, STREAMS)
    from segnext.inference.outputs import read_records

    videos = videos_among(args)
    pictures = [path for path in args.paths if path not in videos]
    segmenter = load_segmenter(args, streams=STREAMS)
    codes: list[int] = []
    records: list[Iterator[Record]] = []  # read when they are written
    if pictures:
        summary = _run_pictures(args, segmenter, pictures)
        codes.append(2 if summary.done == summary.before == 0 and summary.failed else 1 if summary.failed else 0)
        records.append(summary.records())
    for video in videos:
        film = run_video(args, segmenter, video)
        codes.append(2 if film is None else 1 if film.problems else 0)
        if film is not None:
            records.append(read_records(film.results, film.file.__eq__))
    if args.json:
        write_results(map(asdict, chain.from_iterable(records)), args.json)
    return codes[0] if len(set(codes)) == 1 else 1


def _run_pictures(args: argparse.Namespace, segmenter: "Segmenter", paths: list[str]) -> "Summary":
    """Segment pictures, say what was found and where it is."""
    from segnext.inference.predict import predict_files
    from segnext.inference.unfinished import own_share

    done = count(1)
    with progress("pictures") as watch:

        def show(record: "Record", total: int) -> None:
            _print_record(record)
            watch("predict", next(done), total)

        share = args.share or (own_share() if "RANK" in os.environ else None)
        summary = predict_files(segmenter, paths, args.out, show, mask=args.mask, share=share)
    _print_summary(summary, args.out, segmenter.labels)
    return summary


def _print_record(record: "Record") -> None:
    if record.shares is None or record.seconds is None:
        complain("predict", f"{record.file}: {record.error}")
        return
    largest = sorted(record.shares.items(), key=lambda item: -item[1])[:3]
    classes = ", ".join(f"{name} {percent(share)}" for name, share in largest if share > 0)
    show(f"{record.file}  {record.width} x {record.height}  {classes}  {1000 * record.seconds:.0f} ms")


def _print_table(record: "Record", labels: "Labels") -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("", "class", "share")
    table.columns[2].justify = "right"
    assert record.shares is not None
    colors = dict(zip(labels.classes, labels.colors, strict=True))
    for name, share in sorted(record.shares.items(), key=lambda item: -item[1]):
        red, green, blue = colors[name]
        table.add_row(Text("  ", style=f"on rgb({red},{green},{blue})"), Text(name), percent(share))
    Console().print(table)


def _print_summary(summary: "Summary", out: Path, labels: "Labels") -> None:
    if len(summary.inputs) == summary.done == 1 and summary.whole:
        (record,) = summary.records()
        _print_table(record, labels)
        assert record.files is not None
        planes = record.files.get("planes")
        show(f"mask: {out / record.files['mask']}" if planes is None else f"masks: {_folder(out, record.files)}")
        show(f"overlay: {out / record.files['overlay']}")
    elif summary.done:
        show(f"{counted(summary.done, 'mask and overlay', 'masks and overlays')}: {out}")
    if summary.before:
        show(f"{counted(summary.before, 'picture')} had been done before this run was broken off")
    if not summary.whole:
        show(f"this part is done; the process that ends last writes {summary.results}")
    elif summary.done or summary.before:
        show(f"results: {summary.results}")
    if summary.again:
        show(f"{counted(summary.again, 'picture')} had been done before: masks and overlays replaced")
    if summary.more_pages:
        names = listed(summary.more_pages, 3)
        show(f"{counted(len(summary.more_pages), 'file')} of several pages, of which the first was done: {names}")
    if summary.passed_over:
        names = listed(summary.passed_over, 3)
        number = counted(len(summary.passed_over), "file")
        show(f"{number} passed over, no pictures or called as masks and overlays: {names}")


def _folder(out: Path, files: "dict[str, Any]") -> Path:
    return out / f"{files['overlay'].removesuffix('.overlay.png')}.masks"
