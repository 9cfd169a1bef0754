"""`segnext data split`: val and test splits that share no group of pictures with train."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from segnext.cli.outputs import show
from segnext.progress import progress

if TYPE_CHECKING:
    from segnext.data.curate.split import Plan


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `segnext data split`."""
    parser.description = (
        "Move a part of the pictures of train, with their masks, to val and test. Groups of pictures that belong "
        "together, such as frames of a sequence or tiles of a scene, are never divided; the splits get alike shares "
        "of every class as far as that allows. An interrupted split is completed when the command is run again."
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="the data set's folder")
    parser.add_argument("--val", type=float, metavar="SHARE", help="part of the pictures for val, as 0.2")
    parser.add_argument("--test", type=float, metavar="SHARE", help="part of the pictures for test")
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--group", metavar="REGEX", help="its first group, found in a picture's stem, names the group")
    group.add_argument(
        "--group-by",
        choices=("copies", "scene", "time", "prefix", "folder", "picture"),
        default="picture",
        help="copies: pictures that are nearly the same; scene: names that begin alike or share a folder, if such "
        "pictures look alike, and copies; time: taken without a pause of a minute; prefix: name without its last "
        "number; folder: sub-folder; picture: each by itself (default)",
    )
    parser.add_argument("--seed", type=int, default=0, help="another seed, another division (default: 0)")
    parser.add_argument("--again", action="store_true", help="divide anew what val and test hold already")
    parser.add_argument("--dry-run", action="store_true", help="print the plan, move nothing")


def run(args: argparse.Namespace) -> int:
    """Complete an interrupted split, or plan one and move the files."""
    from segnext.data.curate import split  # numpy and pillow load slowly
    from segnext.data.doctor.grouping import grouping_by

    with progress("files") as watch:
        if not args.dry_run and (count := split.finish_split(args.folder, watch)) is not None:
            show(f"{args.folder}: completed the split of {count} pictures that was interrupted; nothing else was done")
            return 0
        shares = {name: share for name, share in (("val", args.val), ("test", args.test)) if share is not None}
        simple = {"prefix": split.by_prefix, "folder": split.by_folder, "picture": split.alone}
        if args.group or args.group_by in simple:
            grouping = split.by_regex(args.group) if args.group else simple[args.group_by]
        else:
            grouping = grouping_by(args.group_by, args.folder, watch)
        plan = split.plan_split(args.folder, shares, grouping, seed=args.seed, again=args.again, watch=watch)
        if not args.dry_run:
            split.apply_split(plan, watch)
    _print(plan)
    if not args.group and args.group_by == "picture":
        _hint(plan)
    if args.dry_run:
        _print_moves(plan)
    return 0


def _print(plan: "Plan") -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    splits = list(plan.counts)
    table = Table("", *splits)
    for column in table.columns[1:]:
        column.justify = "right"
    groups = list(plan.split_of.values())
    table.add_row("pictures", *(str(plan.pictures(split)) for split in splits))
    table.add_row("groups", *(str(groups.count(split)) for split in splits), end_section=True)
    total = sum(plan.counts.values())
    for label, name in enumerate(plan.folder.labels.classes):
        whole = int(total[label])  # type: ignore[index]
        shares = [f"{100 * plan.counts[split][label] / whole:.1f} %" if whole else "-" for split in splits]
        table.add_row(Text(name), *shares)
    Console().print(table)
    lacking = [
        f"'{name}' in {split}"
        for split in splits
        for label, name in enumerate(plan.folder.labels.classes)
        if not plan.counts[split][label] and total[label]  # type: ignore[index]
    ]
    if lacking:
        show(f"no pixel of {', '.join(lacking)}: too few groups hold it")


def _hint(plan: "Plan") -> None:
    """Point out names that look like sequences."""
    from segnext.data.curate.split import by_prefix

    pictures = [picture for group in plan.groups.values() for picture in group]
    prefixes = {by_prefix(picture) for picture in pictures}
    if 1 < len(prefixes) <= len(pictures) / 2:
        show(
            f"every picture was taken by itself, but the names look like {len(prefixes)} sequences or scenes "
            f"(such as '{min(prefixes)}'); --group-by scene looks whether they are, and lets none leak into val"
        )


def _print_moves(plan: "Plan") -> None:
    for group, split in sorted(plan.split_of.items(), key=lambda item: (item[1], item[0])):
        show(f"{split}: {group} ({len(plan.groups[group])})")
    show(f"dry run: {len(plan.moves()) // 2} pictures would move, nothing was changed")
