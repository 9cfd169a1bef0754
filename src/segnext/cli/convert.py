"""segnext convert: official checkpoints to our weights file, and back."""

import argparse
from pathlib import Path

HELP = "turn official checkpoints into our weights file, and back"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """IN, OUT, and what an official checkpoint does not say of itself."""
    parser.add_argument("source", metavar="IN", type=Path, help="official .pth, or our .safetensors file or run folder")
    parser.add_argument("target", metavar="OUT", type=Path, help=".safetensors from .pth; .pth from .safetensors")
    parser.add_argument("--like", metavar="NAME", help="label set of the classes; otherwise told by their number")
    parser.add_argument("--rank", type=int, help="rank of the matrix decomposition; otherwise the published model's")


def run(args: argparse.Namespace) -> int:
    """Convert in the direction that IN's kind implies."""
    from segnext.checkpoint.convert import convert_from_official, convert_to_official
    from segnext.data.known import known_labels, labels_for_count
    from segnext.inference.load import weights_path

    args.target.parent.mkdir(parents=True, exist_ok=True)
    if args.source.is_dir() or args.source.suffix == ".safetensors":
        weights = convert_to_official(weights_path(args.source), args.target)
        print(f"{args.target}: {len(weights.state) - 1} tensors in the authors' layout")
        return 0
    labels_for = labels_for_count if args.like is None else lambda _: known_labels(args.like)
    weights = convert_from_official(args.source, args.target, labels_for, rank=args.rank)
    print(
        f"{args.target}: {len(weights.state)} tensors, {weights.config.num_classes} classes "
        f"({weights.labels.name}), rank {weights.config.rank}"
    )
    return 0
