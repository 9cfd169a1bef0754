"""Options that several commands share."""

import argparse
from typing import TYPE_CHECKING

from segnext.allocator import keep_pages
from segnext.inference.load import DEFAULT

if TYPE_CHECKING:
    from segnext.inference.segmenter import Segmenter


def add_weights(parser: argparse.ArgumentParser) -> None:
    """Declare --weights."""
    parser.add_argument(
        "--weights",
        default=DEFAULT,
        metavar="W",
        help=f"name, file, training run's folder or OWNER/NAME on the Hub (default: {DEFAULT})",
    )


def add_engine(parser: argparse.ArgumentParser, precision: str) -> None:
    """Declare --engine, --device and --precision, the last with its default."""
    engines = ("auto", "torch", "openvino", "onnxruntime")
    parser.add_argument("--engine", choices=engines, default="auto", help="what runs the network (default: auto)")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="default: auto")
    parser.add_argument(
        "--precision",
        choices=("auto", "fp32", "bf16"),
        default=precision,
        help=f"numbers of the network; auto is bf16 where the processor computes it (default: {precision})",
    )


def load_segmenter(args: argparse.Namespace) -> "Segmenter":
    """The segmenter that --weights, --engine, --device and --precision ask for."""
    from segnext.inference.load import load

    segmenter = load(args.weights, args.device, engine=args.engine, precision=args.precision)
    if segmenter.engine.name == "torch":
        keep_pages()  # the other engines keep their memory themselves
    return segmenter
