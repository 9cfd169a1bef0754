"""`segnext bench`: how long each stage takes, engine by engine."""

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from segnext.cli.options import image_size, positive
from segnext.cli.outputs import beside, require_writable, show, write_results
from segnext.errors import SegNextError
from segnext.progress import progress

if TYPE_CHECKING:
    from segnext.bench.timings import Timings

EXPLAINED = (
    "plain: as the authors release it. times plain: how many times faster to labels. same labels: as the plain way of "
    "the same network. floor: all multiply-adds at the peak of matrix products. bound: each operation at its own limit."
)
TIES = "With random weights classes nearly tie, so fewer labels are the same than with trained ones."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `segnext bench`."""
    add = parser.add_argument
    add("--model", metavar="M", help="with random weights, as --model of segnext train names it (default: segnext_t)")
    add("--classes", type=positive, metavar="N", help="classes of a random model, up to 256 (default: 150)")
    add(
        "--weights", metavar="W", help="in place of --model: name, file, training run's folder or OWNER/NAME on the Hub"
    )
    add("--size", type=image_size, metavar="HxW", help="height and width of the drawn picture (default: 512x512)")
    add("--image", type=Path, metavar="F", help="a picture of yours in place of the drawn one")
    engines = ("torch", "openvino", "onnxruntime")
    add("--engines", nargs="+", choices=engines, metavar="E", help=f"{', '.join(engines)} (default: all installed)")
    add("--no-peers", action="store_true", help="leave out SegFormer, which runs where transformers is installed")
    add("--rounds", type=positive, default=15, metavar="N", help="every way runs N times, in turns (default: 15)")
    add("--json", type=Path, metavar="F", help="write all figures to this file, for programs")
    add("--picture", type=Path, metavar="F.png", help="draw the stages (default: NAME.png beside --json NAME.json)")


def run(args: argparse.Namespace) -> int:
    """Measure, print tables, write what was asked for."""
    from rich.console import Console

    picture = args.picture or beside(args.json, ".png")
    _check(args, picture)
    with tempfile.TemporaryDirectory(prefix="segnext-bench-") as folder:
        report = _measure(args, Path(folder))
    console = Console()
    console.print(report.machine(), highlight=False)
    for table in report.tables():
        console.print(table)
    console.print(EXPLAINED if args.weights else f"{EXPLAINED} {TIES}", highlight=False)
    if args.json:
        write_results(report.to_dict(), args.json)
    if picture:
        from segnext.bench.picture import draw

        draw(report, picture)
        show(f"picture: {picture}")
    return 0


def _check(args: argparse.Namespace, picture: Path | None) -> None:
    if args.weights and (args.model or args.classes):
        raise SegNextError("weights have their own network and classes; leave out --model and --classes, or --weights")
    if args.image and args.size:
        raise SegNextError("a picture of yours has its own size; leave out --size, or --image")
    if (args.classes or 0) > 256:
        raise SegNextError(f"--classes {args.classes}: masks hold at most 256 classes; choose fewer")
    for flag, path in (("--json", args.json), ("--picture", picture)):
        if path:
            require_writable(path, flag)


def _measure(args: argparse.Namespace, folder: Path) -> "Timings":
    from segnext.bench.run import benchmark
    from segnext.bench.task import drawn_picture, with_random_weights, with_weights
    from segnext.bench.ways import PEERS, ways
    from segnext.checkpoint.weights import load_weights
    from segnext.imageio import read_image
    from segnext.model.config import ExportedConfig

    if args.image:
        read_image(args.image)  # what is wrong with it is said before anything is prepared
    height, width = args.size or (512, 512)
    picture = args.image or drawn_picture(height, width, folder)
    name = args.weights or args.model or "segnext_t"
    if args.weights:
        task = with_weights(args.weights, picture, folder)
    else:
        task = with_random_weights(name, args.classes or 150, picture, folder)
    config = load_weights(task.weights).config
    exported = config if isinstance(config, ExportedConfig) else None
    chosen = ways(args.engines, () if args.no_peers else PEERS, exported)
    with progress("steps") as show:
        return benchmark(name, chosen, task, args.rounds, show)
