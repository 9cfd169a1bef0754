"""`segnext eval`: measure weights on a labelled split."""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from segnext.cli.data_format import add_format
from segnext.cli.options import add_engine, add_testing, add_threshold, add_weights, load_segmenter
from segnext.cli.outputs import beside, require_writable, show, write_results
from segnext.errors import SegNextError
from segnext.progress import progress
from segnext.words import listed

if TYPE_CHECKING:
    from segnext.data.folder import DataSet
    from segnext.data.masks import Mask
    from segnext.evaluation.chart import Chart
    from segnext.evaluation.examine import Score
    from segnext.evaluation.metrics import Metrics
    from segnext.inference.segmenter import Segmenter


class Measured(NamedTuple):
    """Metrics of weights on data, and the seconds they took, reading the pictures included, loading the weights not.

    `translate` leads from predicted labels to the data's; `lacking` are classes that the data has nothing for.
    """

    segmenter: "Segmenter"
    data: "DataSet"
    metrics: "Metrics"
    scores: "list[Score]"
    seconds: float
    translate: "Callable[[Mask], Mask]"
    lacking: tuple[str, ...]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `segnext eval`."""
    parser.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help="folder with a dataset.yaml, or see --format"
    )
    add_format(parser)
    parser.add_argument("--split", default="val", metavar="S", help="split to measure on (default: val)")
    add_weights(parser)
    parser.add_argument(
        "--label-map",
        type=Path,
        metavar="F",
        help="file that says which classes of the weights the data's stand for: that of a training, or another",
    )
    parser.add_argument("--json", type=Path, metavar="F", help="write the metrics to this file, for programs")
    parser.add_argument(
        "--picture",
        type=Path,
        metavar="F.png",
        help="draw the confusion matrix (default: NAME.confusion.png beside --json NAME.json)",
    )
    parser.add_argument(
        "--report",
        type=Path,
        metavar="F.html",
        help="write one page with the classes, the confusion matrix, the worst pictures, and of a run its curves",
    )
    add_engine(parser, precision="fp32")  # so that figures from different machines compare
    add_testing(parser)
    add_threshold(parser)


def run(args: argparse.Namespace) -> int:
    """Measure, print the table, write the files asked for."""
    picture = args.picture or beside(args.json, ".confusion.png")
    if args.json:
        require_writable(args.json, "--json")
    if picture:
        if picture.suffix.lower() != ".png":
            raise SegNextError(f"{picture}: the picture is a PNG; give --picture a name that ends in .png")
        require_writable(picture, "--picture")
    if args.report:
        if args.report.suffix.lower() not in (".html", ".htm"):
            raise SegNextError(f"{args.report}: the report is a web page; give --report a name that ends in .html")
        require_writable(args.report, "--report")
    found = _measure(args)
    metrics = found.metrics

    from rich.console import Console

    from segnext.evaluation.summary import confusion_picture, print_table

    print_table(metrics, Console())
    if found.lacking:
        name = found.data.labels.name
        show(
            f"classes of the weights that none of {name}'s stands for: {listed(found.lacking)}; wherever they are "
            f"predicted is wrong, unless, under '{name}', a line 'CLASS: [..., {found.lacking[0]}]' says of which class"
        )
    show(f"{found.seconds / metrics.images:.3f} s/image")
    if args.json:
        write_results(metrics.details(), args.json, "metrics")
    if picture:
        confusion_picture(metrics, picture)
        show(f"confusion matrix: {picture}")
    else:
        show("confusion matrix as a picture: add --picture FILE.png")
    if args.report:
        _report(args, found)
        show(f"report: {args.report}")
    return 0


def _measure(args: argparse.Namespace) -> Measured:
    from segnext.data.formats.public.open import open_data
    from segnext.evaluation.evaluate import predictor, require_same_bands, require_same_classes
    from segnext.evaluation.examine import examine
    from segnext.evaluation.own_classes import translation

    data = open_data(args.data, args.format)
    pairs = data.pairs(args.split)
    segmenter = load_segmenter(args)
    predict = predictor(segmenter)
    names = {"weights_name": args.weights, "data_name": str(args.data)}
    require_same_bands(segmenter.preprocess.bands, data.bands, **names)
    lacking: tuple[str, ...] = ()
    if args.label_map is None:
        require_same_classes(segmenter.labels, data.labels, **names)
        translate: Callable[[Mask], Mask] = lambda mask: mask  # noqa: E731
    else:
        translate = translated = translation(args.label_map, data, segmenter.labels, weights_name=args.weights)
        predict, pairs = translated.predictor(predict), translated.pairs(pairs)
        lacking = translated.lacking
    with progress("images") as watch:
        start = time.perf_counter()
        metrics, scores = examine(
            predict,
            pairs,
            data.labels,
            lambda done: watch(f"eval {args.split}", done, len(pairs)),
            others=bool(lacking),
        )
        seconds = time.perf_counter() - start
    return Measured(segmenter, data, metrics, scores, seconds, translate, lacking)


def _report(args: argparse.Namespace, found: Measured) -> None:
    """Write the page."""
    from segnext.evaluation.gather import gather
    from segnext.evaluation.page import write_page

    title = f"{args.weights} on {found.data.labels.name}"
    measured = found.metrics, found.scores
    page = gather(found.segmenter, found.data, args.split, title, measured, _charts(args.weights), found.translate)
    write_page(page, args.report)


def _charts(weights: str) -> "list[Chart]":
    """The curves of the run whose folder the weights are, if they are one's."""
    log = Path(weights) / "log.jsonl"
    if not log.is_file():
        return []
    from segnext.training.log_charts import log_charts

    return log_charts(log)
