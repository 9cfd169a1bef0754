"""`segnext data ACTION`: data-set folders."""

import argparse
from importlib import import_module

ACTIONS = {
    "init": "write the dataset.yaml of a known label set into a folder",
    "check": "find what is wrong with a data set, and what mends it",
    "import": "bring a data set of another format into a folder",
    "split": "make val and test splits that share no group of pictures with train",
    "stats": "count sizes, class pixels, means and deviations",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add one sub-command per action; each lives in a module of its own, data_ACTION."""
    actions = parser.add_subparsers(title="actions", metavar="ACTION", dest="action", required=True)
    for name, does in ACTIONS.items():
        import_module(f"segnext.cli.data_{name}").add_arguments(actions.add_parser(name, help=does))


def run(args: argparse.Namespace) -> int:
    """Run the chosen action and return its exit code."""
    return int(import_module(f"segnext.cli.data_{args.action}").run(args))
