"""Draw a data set of street scenes with exact labels, in CamVid's classes.

python benchmarks/draw_scenes.py scenes --train 100 --val 20 --size 180 240
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from scenes import write_scenes

from segnext.errors import SegNextError


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw it into a folder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="where to write it")
    parser.add_argument("--train", type=int, default=100, metavar="N", help="scenes to train on (default: 100)")
    parser.add_argument("--val", type=int, default=20, metavar="N", help="scenes to measure on (default: 20)")
    parser.add_argument("--size", type=int, nargs=2, default=(360, 480), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--seed", type=int, default=0, help="other seeds give other scenes (default: 0)")
    args = parser.parse_args(arguments)
    height, width = args.size
    try:
        write_scenes(args.folder, {"train": args.train, "val": args.val}, args.seed, height, width)
    except (SegNextError, OSError, ValueError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
