"""The option that names the original layout of a public data set."""

import argparse

from segnext.data.formats.public import FORMATS


def add_format(parser: argparse.ArgumentParser) -> None:
    """Declare `--format`."""
    parser.add_argument(
        "--format",
        choices=FORMATS,
        metavar="NAME",
        help=f"the folder has the original layout of this public data set, read in place: {', '.join(FORMATS)}",
    )
