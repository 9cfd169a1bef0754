"""`segnext data init`: the dataset.yaml of a known label set."""

import argparse
from pathlib import Path

from segnext.cli.outputs import show
from segnext.data.known import KNOWN, known_labels
from segnext.words import counted


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `segnext data init`."""
    parser.description = (
        "Write the dataset.yaml of a known label set into a folder that holds images/SPLIT and masks/SPLIT, "
        "and say what the folder holds."
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="the data set's folder")
    parser.add_argument("--like", required=True, metavar="NAME", help=f"label set: {', '.join(KNOWN)}")
    parser.add_argument("--ignore", type=int, metavar="LABEL", help="label to ignore, if not the label set's own")


def run(args: argparse.Namespace) -> int:
    """Write it, and say what the folder holds."""
    from segnext.data.curate.init import init_dataset, survey  # numpy and pillow load slowly

    folder: Path = args.folder
    labels = known_labels(args.like, args.ignore)
    existed = (folder / "dataset.yaml").exists()
    path = init_dataset(folder, args.like, args.ignore)
    verb = "already says this" if existed else "written"
    show(f"{path}: {verb} ({labels.name}, {len(labels)} classes, ignore label {labels.ignore})")
    splits = survey(folder, labels)
    if not splits:
        show(f"{folder}: no images/SPLIT and masks/SPLIT folders yet; put the data there, for example images/train")
    for split in splits:
        show(f"{split.name}: {counted(split.images, 'image')}, {counted(split.masks, 'mask')}")
        for problem in split.problems:
            show(f"  {problem}")
        if split.sampled and not split.problems:
            show(f"  {counted(split.sampled, 'sampled mask')} with labels of these classes only")
    return 0
