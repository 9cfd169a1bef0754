"""`segnext eval`: measure weights on a labelled split."""

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

from segnext.cli.data_format import add_format
from segnext.cli.options import add_engine, add_testing, add_threshold, add_weights, load_segmenter
from segnext.cli.outputs import require_writable, write_json
from segnext.errors import SegNextError

if TYPE_CHECKING:
    from segnext.evaluation.metrics import Metrics


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `segnext eval`."""
    parser.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help="folder with a dataset.yaml, or see --format"
    )
    add_format(parser)
    parser.add_argument("--split", default="val", metavar="S", help="split to measure on (default: val)")
    add_weights(parser)
    parser.add_argument("--json", type=Path, metavar="F", help="write the metrics to this file, for programs")
    parser.add_argument(
        "--picture",
        type=Path,
        metavar="F.png",
        help="draw the confusion matrix (default: NAME.confusion.png beside --json NAME.json)",
    )
    add_engine(parser, precision="fp32")  # so that figures from different machines compare
    add_testing(parser)
    add_threshold(parser)


def run(args: argparse.Namespace) -> int:
    """Measure, print the table, write the files asked for."""
    picture = args.picture or (args.json and args.json.with_name(f"{args.json.stem}.confusion.png"))
    if args.json:
        require_writable(args.json, "--json")
    if picture:
        if picture.suffix.lower() != ".png":
            raise SegNextError(f"{picture}: the picture is a PNG; give --picture a name that ends in .png")
        require_writable(picture, "--picture")
    metrics, seconds = _measure(args)

    from rich.console import Console

    from segnext.evaluation.report import confusion_picture, print_table

    print_table(metrics, Console())
    print(f"{seconds / metrics.images:.3f} s/image")
    if args.json:
        write_json(metrics.to_dict(), args.json)
        print(f"metrics: {args.json}")
    if picture:
        confusion_picture(metrics, picture)
        print(f"confusion matrix: {picture}")
    else:
        print("confusion matrix as a picture: add --picture FILE.png")
    return 0


def _measure(args: argparse.Namespace) -> "tuple[Metrics, float]":
    """The metrics and the seconds they took, reading the pictures included, loading the weights not."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from segnext.data.readers.open import open_data
    from segnext.evaluation.evaluate import evaluate, require_same_bands, require_same_classes

    folder = open_data(args.data, args.format)
    pairs = folder.pairs(args.split)
    segmenter = load_segmenter(args)
    names = {"weights_name": args.weights, "data_name": str(args.data)}
    require_same_classes(segmenter.labels, folder.labels, **names)
    require_same_bands(segmenter.preprocess.bands, folder.bands, **names)
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    rate = TextColumn("{task.fields[rate]:.1f} images/s")
    with Progress(*columns, rate, TimeRemainingColumn(), console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(f"eval {args.split}", total=len(pairs), rate=0.0)
        start = time.perf_counter()

        def show(done: int) -> None:
            bar.update(task, completed=done, rate=done / (time.perf_counter() - start))

        metrics = evaluate(lambda path: segmenter(path).mask, pairs, folder.labels, show)
        return metrics, time.perf_counter() - start
