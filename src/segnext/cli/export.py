"""`segnext export`: a file for another runtime, compared with ours, or none."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from segnext.cli.data_format import add_format
from segnext.cli.outputs import complain, require_writable, show, write_results
from segnext.words import percent

if TYPE_CHECKING:
    from segnext.export.run import Report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `segnext export`."""
    parser.add_argument("weights", metavar="W", help="name, file, training run's folder or OWNER/NAME on the Hub")
    parser.add_argument("--to", required=True, choices=("onnx", "openvino", "torch"), help="format")
    parser.add_argument("--out", type=Path, metavar="FILE", help="default: the labels' name, with .onnx, .xml or .pt2")
    parser.add_argument(
        "--precision",
        choices=("fp32", "fp16", "bf16", "int8"),
        default="fp32",
        help="of what the format has of these; int8 (OpenVINO) is calibrated with --data (default: fp32)",
    )
    parser.add_argument(
        "--input",
        choices=("uint8", "float"),
        default="uint8",
        help="pictures as they are, (N, H, W, 3), or normalised by the caller (default: uint8)",
    )
    parser.add_argument(
        "--output",
        choices=("labels", "confidence", "logits"),
        default="labels",
        help="labels at the picture's size, these and their probabilities, or low-resolution logits (default: labels)",
    )
    parser.add_argument("--data", type=Path, metavar="DIR", help="compare mIoU on this data set's val pictures too")
    add_format(parser)
    parser.add_argument("--json", type=Path, metavar="F", help="write the comparisons to this file, or - for stdout")


def run(args: argparse.Namespace) -> int:
    """Export, say how the file compares; 2 when it was refused."""
    from segnext.checkpoint.find import weights_path
    from segnext.checkpoint.weights import load_weights
    from segnext.data.formats.public.open import open_data
    from segnext.export.deployed import Interface
    from segnext.export.formats import KINDS
    from segnext.export.run import export
    from segnext.progress import say

    if args.json:
        require_writable(args.json, "--json")
    weights = load_weights(weights_path(args.weights))
    out = args.out or Path(f"{weights.labels.name}{KINDS[args.to].suffix}")
    data = open_data(args.data, args.format) if args.data else None
    interface = Interface(args.input, args.output)
    report = export(
        weights,
        args.to,
        out,
        precision=args.precision,
        interface=interface,
        pairs=data.pairs("val") if data else None,
        train=data.pairs("train") if data and args.precision == "int8" else None,
        say=say,
    )
    _print(report)
    if args.json:
        write_results(report.to_dict(), args.json)
    if not report.passed:
        why = "its labels are not ours closely enough" if report.quickest else "eight bits are not quicker here"
        complain("export", f"{out}: refused, {why}; nothing was written there")
        return 2
    show(f"{args.to}: {out}")
    if wanted := weights.preprocess.wanted():
        show(f"it takes pictures as they come; these weights want {wanted}: resize them first")
    return 0


def _print(report: "Report") -> None:
    for row in report.rows:
        verdict = "" if row.passed else "  too few"
        show(
            f"{row.provider}  {row.size[0]} x {row.size[1]}  batch {row.batch}  {row.pictures} pictures  "
            f"{percent(row.agreement, 3)} of the labels agree{verdict}"
        )
    for one in report.accuracy:
        verdict = "" if one.passed else "  too far"
        show(f"{one.provider}  mIoU {one.theirs:.2f} %, ours {one.ours:.2f} % on {one.pictures} pictures{verdict}")
    for pace in report.pace:
        show(f"{pace.name}  {1000 * pace.seconds:.1f} ms")
    if report.left is not None:
        show("{} of {} convolutions and matrix products are left in floating point".format(*report.left))
