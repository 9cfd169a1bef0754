"""`segnext predict`: pictures to masks."""

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import asdict
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from segnext.cli.options import add_engine, add_testing, add_threshold, add_weights, load_segmenter
from segnext.cli.outputs import STDOUT, complain, require_writable, show, write_results
from segnext.cli.rasters import add_rasters, run_raster, wants_raster
from segnext.cli.videos import add_videos, run_video, videos_among
from segnext.errors import SegNextError
from segnext.inference.kinds import COCO, Format
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
        "paths",
        nargs="+",
        metavar="PATH",
        help="image, folder of images, glob, video, address of a stream, or - for a picture on stdin",
    )
    add_weights(parser)
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("predictions"),
        metavar="DIR",
        help="folder for masks, overlays and results.jsonl (default: predictions), labels.tif for one raster, or - for "
        "one picture's mask on stdout",
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
    parser.add_argument(
        "--format",
        choices=get_args(Format),
        default="png",
        help="what pictures' masks are written as (default: png); coco is one file for all",
    )
    parser.add_argument("--json", type=Path, metavar="F", help="write all results to this file, or - for stdout")


def run(args: argparse.Namespace) -> int:
    """Segment, say what was found, say where the outputs are."""
    if args.json:
        require_writable(args.json, "--json")
        _require_its_own(args)
    if args.out == STDOUT:
        return _run_to_stdout(args)
    if wants_raster(args):
        _require_png(args, "rasters")
        return run_raster(args, STREAMS)
    from segnext.inference.outputs import read_records

    videos = videos_among(args)
    if videos:
        _require_png(args, "videos")
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


def _require_its_own(args: argparse.Namespace) -> None:
    """Refuse to write the results for programs over an input or another output."""
    others = [*args.paths, args.out, args.polygons, args.probabilities, args.confidence]
    if args.json != STDOUT and args.json.resolve() in {Path(other).resolve() for other in others if other}:
        raise SegNextError(f"--json {args.json}: is an input or another output; choose another file")


def _require_png(args: argparse.Namespace, what: str) -> None:
    if args.format != "png":
        raise SegNextError(f"--format {args.format} is for pictures; leave it out for {what}")


def _run_to_stdout(args: argparse.Namespace) -> int:
    """Write one picture's mask to stdout, and nothing else."""
    if args.json == STDOUT:
        raise SegNextError("--out - and --json - both write to stdout; give one of them a file")
    results = sys.stdout.buffer
    with redirect_stdout(sys.stderr):  # what libraries may print
        from segnext.inference.formats import encode, require_format
        from segnext.inference.outputs import Record
        from segnext.inference.sources import expand

        inputs = expand(args.paths)
        if len(inputs) != 1 or videos_among(args):
            raise SegNextError("--out - writes the mask of one picture; name one, or a folder with --out")
        (entry,) = inputs
        if entry.error is not None:
            raise SegNextError(f"{entry.file}: {entry.error}")
        segmenter = load_segmenter(args, streams=STREAMS)
        require_format(args.format, segmenter.labels, args.mask)
        if args.format == "png" and segmenter.labels.multi_label:
            raise SegNextError("these weights are multi-label, with a mask for each class; add --format npz")
        result = segmenter.segment(segmenter.read(entry.source, entry.file), confidence=True)
        content = encode(result, args.format, entry, mask=args.mask)
    results.write(content)
    results.flush()
    if args.json:
        height, width = result.mask.shape[-2:]
        record = Record(
            entry.file, True, None, width, height, result.shares, result.mean_confidence, result.seconds, {}
        )
        with redirect_stdout(sys.stderr):
            write_results(iter([asdict(record)]), args.json)
    return 0


def _run_pictures(args: argparse.Namespace, segmenter: "Segmenter", paths: list[str]) -> "Summary":
    """Segment pictures, say what was found and where it is."""
    from segnext.inference.predict import predict_files
    from segnext.inference.unfinished import own_share

    done = count(1)
    with progress("pictures") as watch:

        def tell(record: "Record", total: int) -> None:
            _print_record(record)
            watch("predict", next(done), total)

        share = args.share or (own_share() if "RANK" in os.environ else None)
        summary = predict_files(segmenter, paths, args.out, tell, form=args.format, mask=args.mask, share=share)
    _print_summary(summary, args.out, segmenter.labels)
    if args.format == "coco" and len(summary.inputs) > 1 and (args.out / COCO).exists():
        show(f"coco: {args.out / COCO}")
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
        for kind, file in record.files.items():
            if kind == "planes":
                show(f"masks: {out / record.files['overlay'].removesuffix('.overlay.png')}.masks")
            else:
                show(f"{kind}: {out / file}")
    elif summary.done:
        show(f"{counted(summary.done, 'mask and overlay', 'masks and overlays')}: {out}")
    if summary.failed and (summary.done or summary.before):
        show(f'{counted(summary.failed, "picture")} could not be done, see above and "error" in the results')
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
        show(f"{number} passed over, no pictures, out of reach or called as masks and overlays: {names}")
