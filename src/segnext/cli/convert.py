"""segnext convert: official checkpoints to our weights file, and back."""

import argparse
from pathlib import Path

from segnext.cli.outputs import require_writable, show
from segnext.errors import SegNextError

PICKLES = (".pth", ".pt")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """IN, OUT, and what an official checkpoint does not say of itself."""
    parser.add_argument(
        "source", metavar="IN", type=Path, help="official checkpoint, or weights of ours by file, folder or name"
    )
    parser.add_argument("target", metavar="OUT", type=Path, help="our .safetensors file, or an official .pth")
    parser.add_argument("--half", action="store_true", help="store our convolution weights as float16, half the size")
    parser.add_argument(
        "--like", metavar="NAME", help="label set of the classes; otherwise what the file says, or told by their number"
    )
    parser.add_argument(
        "--rank",
        type=int,
        help="rank of the matrix decomposition; otherwise what the file says, or the published model's",
    )


def run(args: argparse.Namespace) -> int:
    """Convert in the direction that IN's kind implies."""
    from segnext.checkpoint.checkpoint import read_checkpoint
    from segnext.checkpoint.convert import convert_from_official
    from segnext.checkpoint.find import weights_path
    from segnext.checkpoint.tensors import read_header
    from segnext.checkpoint.weights import ENCODER_FORMAT, FORMAT, Weights, kind_of
    from segnext.model.config import ModelConfig

    require_writable(args.target, "OUT")
    if args.source.suffix == ".safetensors" or (args.source.suffix != ".pth" and not args.source.is_file()):
        path = weights_path(str(args.source))
        if kind_of(read_header(path).metadata) in (FORMAT, ENCODER_FORMAT):
            return _from_ours(path, args)
    if args.target.suffix in PICKLES:
        raise SegNextError(f"{args.target}: from an official file comes one of ours; let OUT end in .safetensors")
    checkpoint = read_checkpoint(args.source)
    weights = convert_from_official(checkpoint, args.target, like=args.like, rank=args.rank, half=args.half)
    if checkpoint.remark:
        show(checkpoint.remark)
    if not isinstance(weights, Weights):
        show(f"{args.target}: {len(weights.state)} tensors, an encoder alone, for --encoder_weights")
        return 0
    config = weights.config
    rank = f", rank {config.rank}" if isinstance(config, ModelConfig) else ""
    show(f"{args.target}: {len(weights.state)} tensors, {config.num_classes} classes ({weights.labels.name}){rank}")
    return 0


def _from_ours(source: Path, args: argparse.Namespace) -> int:
    """Our file to an official .pth, or to ours again, for example at half the size."""
    from segnext.checkpoint.checkpoint import read_checkpoint
    from segnext.checkpoint.convert import convert_to_official
    from segnext.checkpoint.tensors import read_header
    from segnext.checkpoint.weights import ENCODER_FORMAT, kind_of, load_weights, save_encoder, save_weights

    if args.target.suffix != ".safetensors":
        if args.half:
            raise SegNextError(
                f"{args.target}: --half is for files of ours; let OUT end in .safetensors, or leave it out"
            )
        show(
            f"{args.target}: {convert_to_official(source, args.target)} tensors in the authors' layout; preprocessing "
            "and provenance are in the file too, where only 'segnext convert' reads them"
        )
        return 0
    if kind_of(read_header(source).metadata) == ENCODER_FORMAT:
        encoder = read_checkpoint(source)
        save_encoder(encoder.state, encoder.provenance, args.target, half=args.half)
    else:
        save_weights(load_weights(source), args.target, half=args.half)
    show(f"{args.target}: {args.target.stat().st_size / 1e6:.1f} MB")
    return 0
