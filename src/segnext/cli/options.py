"""Options that several commands share."""

import argparse
import re
from typing import TYPE_CHECKING, get_args

from segnext.allocator import keep_pages
from segnext.checkpoint.find import DEFAULT, weights_path
from segnext.inference.runtime import EngineName, PrecisionName, device_name
from segnext.inference.testing import PAPER_SCALES, Testing

if TYPE_CHECKING:
    from segnext.inference.segmenter import Segmenter


def image_size(text: str) -> tuple[int, int]:
    """HEIGHTxWIDTH in pixels."""
    found = re.fullmatch(r"([1-9]\d{0,5})x([1-9]\d{0,5})", text)
    if not found:
        raise argparse.ArgumentTypeError(f"'{text}' is not HEIGHTxWIDTH in pixels, such as 1024x2048")
    return int(found[1]), int(found[2])


def numbers(text: str) -> list[float]:
    """A number, or several with commas between them."""
    try:
        return [float(part) for part in text.strip("[]").split(",")]
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"'{text}' is no number; give some, such as 0.75 1 1.25") from error


def positive(text: str) -> int:
    """A whole number from 1 on."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number from 1 on")
    return int(text)


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
    engines, precisions = get_args(EngineName), get_args(PrecisionName)
    parser.add_argument("--engine", choices=engines, default="auto", help="what runs the network (default: auto)")
    parser.add_argument(
        "--device", type=device_name, default="auto", metavar="D", help="auto, cpu, cuda or cuda:N (default: auto)"
    )
    parser.add_argument(
        "--precision",
        choices=precisions,
        default=precision,
        help=f"numbers of the network; auto is bf16 where the processor computes it (default: {precision})",
    )


def add_testing(parser: argparse.ArgumentParser) -> None:
    """Declare how pictures are looked at: --slide, --scales, --flip, --tta, --resize, --short-side."""
    group = parser.add_argument_group("testing", "one look at the whole picture unless these say otherwise")
    group.add_argument(
        "--slide",
        nargs=2,
        type=int,
        metavar=("CROP", "STRIDE"),
        help="slide a window of CROP x CROP over the picture by STRIDE pixels; for pictures too large for memory too",
    )
    group.add_argument(
        "--scales",
        nargs="+",
        type=numbers,
        metavar="S",
        help="look at it at these scales, such as 0.75 1 1.25",
    )
    group.add_argument("--flip", action="store_true", help="look at its mirror image too, at every scale")
    group.add_argument("--tta", action="store_true", help="the paper's scales, 0.5 to 1.75 by 0.25, and --flip")
    group.add_argument(
        "--resize",
        choices=("pad", "multiple"),
        default="pad",
        help="fill up to a multiple of 32, or stretch to it as the released code does (default: pad)",
    )
    group.add_argument(
        "--short-side", type=int, metavar="N", help="pixels of the short side at scale 1 (default: the weights' own)"
    )
    group.add_argument(
        "--long-side", type=int, metavar="N", help="pixels of the long side at scale 1; its most, beside --short-side"
    )


def chosen_testing(args: argparse.Namespace) -> Testing:
    """What the options of `add_testing` say."""
    given = tuple(scale for scales in args.scales or () for scale in scales)
    scales = given or (PAPER_SCALES if args.tta else (1.0,))
    slide = (args.slide[0], args.slide[1]) if args.slide else None
    return Testing(slide, scales, args.flip or args.tta, args.resize, args.short_side, args.long_side)


def add_threshold(parser: argparse.ArgumentParser) -> None:
    """Declare --threshold."""
    parser.add_argument(
        "--threshold",
        type=float,
        metavar="P",
        help="of multi-label weights: probability above which a class is said to be there (default: 0.5)",
    )


def load_segmenter(args: argparse.Namespace, streams: int = 1) -> "Segmenter":
    """The segmenter that the options above ask for; for `streams` see `Runtime`."""
    from segnext.checkpoint.weights import load_weights
    from segnext.inference.runtime import Runtime
    from segnext.inference.segmenter import Segmenter

    weights = load_weights(weights_path(args.weights))
    runtime = Runtime(args.engine, args.device, args.precision, streams)
    segmenter = Segmenter(weights, runtime, testing=chosen_testing(args), threshold=args.threshold)
    if segmenter.engine.name == "torch":
        keep_pages()  # the other engines keep their memory themselves
    return segmenter
