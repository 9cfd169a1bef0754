"""`python -m segnext.data.scenes OUT.png`: one drawn scene."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from segnext.data.scenes import save_scene
from segnext.errors import SegNextError


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw one scene into a file, and its labels beside it."""
    parser = argparse.ArgumentParser(prog="python -m segnext.data.scenes", description="Draw a street scene.")
    parser.add_argument("out", type=Path, metavar="OUT.png", help="the picture; its labels go to OUT.labels.png")
    parser.add_argument("--seed", type=int, default=0, help="which scene")
    parser.add_argument("--size", type=int, nargs=2, default=(360, 480), metavar=("HEIGHT", "WIDTH"))
    args = parser.parse_args(arguments)
    height, width = args.size
    try:
        save_scene(args.seed, height, width, args.out, args.out.with_suffix(".labels.png"))
    except (SegNextError, OSError, ValueError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
