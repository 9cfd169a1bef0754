"""segnext info: parameters and multiply-adds."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from segnext.cli.options import image_size, positive
from segnext.errors import SegNextError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from segnext.model.complexity import Part, Published
    from segnext.model.config import NetworkConfig

COUNTED = "M: 1e6 parameters. G: 1e9 multiply-adds of convolutions and matrix products, not of norms and the like."
NO_TABLE_OF = "--table prints the paper's models at the paper's sizes; leave out MODEL, --size, --classes and --decoder"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `segnext info`."""
    parser.add_argument(
        "model",
        metavar="MODEL",
        nargs="?",
        help="a model, such as segnext_t, or weights: a name, file or run's folder (default: all models)",
    )
    parser.add_argument(
        "--size", type=image_size, metavar="HxW", help="height and width of the image (default: 512x512)"
    )
    parser.add_argument("--classes", type=positive, metavar="N", help="number of classes (default: 150)")
    parser.add_argument("--decoder", metavar="D", help="ham, mlp, aspp, psp or danet (default: ham)")
    parser.add_argument("--table", action="store_true", help="the paper's tables, published and counted side by side")


def run(args: argparse.Namespace) -> int:
    """Print one table, or two."""
    from rich.console import Console

    console = Console()
    if args.table:
        if any(value is not None for value in (args.model, args.size, args.classes, args.decoder)):
            raise SegNextError(NO_TABLE_OF)
        _print_published(console)
    else:
        console.print(_one_model(args) if args.model else _all_models(args))
    console.print(COUNTED, highlight=False)
    return 0


def _preset(name: str, args: argparse.Namespace) -> "NetworkConfig":
    from segnext.model.config import preset

    given = {"num_classes": args.classes, "decoder": args.decoder}
    return preset(name, **{field: value for field, value in given.items() if value is not None})


def _config(args: argparse.Namespace) -> "NetworkConfig":
    """The configuration that MODEL stands for."""
    from segnext.checkpoint.find import weights_path
    from segnext.checkpoint.weights import load_weights
    from segnext.model.config import PRESETS

    if args.model in PRESETS or (set("+:") & set(args.model) and not Path(args.model).exists()):
        return _preset(args.model, args)
    try:
        path = weights_path(args.model)
    except SegNextError as error:
        names = ", ".join(PRESETS)
        raise SegNextError(f"unknown model '{args.model}'; choose from: {names}; or give weights") from error
    if args.classes is not None or args.decoder is not None:
        raise SegNextError(f"{path}: weights have their own classes and decoder; leave out --classes and --decoder")
    return load_weights(path).config


def _one_model(args: argparse.Namespace) -> "Table":
    """Part by part."""
    from segnext.model.complexity import count
    from segnext.tables import figures_table

    config = _config(args)
    height, width = args.size or (512, 512)
    parts = count(config, height, width)
    title = f"{args.model}: {config.num_classes} classes, {height} x {width} pixels"
    table = figures_table(title, "part", ("parameters M", "multiply-adds G", "share %"))
    whole = sum(part.operations for part in parts)
    for prefix in ("encoder", "decoder"):
        group = [part for part in parts if part.name.startswith(prefix)]
        for part in group:
            table.add_row(part.name, *_cells([part]), f"{100 * part.operations / whole:.1f}")
        share = 100 * sum(part.operations for part in group) / whole
        table.add_row(f"{prefix} in all", *_cells(group), f"{share:.1f}", style="bold", end_section=True)
    table.add_row("whole", *_cells(parts), "100.0", style="bold")
    return table


def _all_models(args: argparse.Namespace) -> "Table":
    """The published models of SegNeXt and SegFormer; the many others are named below."""
    from segnext.model.complexity import count
    from segnext.model.config import PRESETS, staged_presets
    from segnext.tables import figures_table

    height, width = args.size or (512, 512)
    classes = _preset("segnext_t", args).num_classes
    title = f"{classes} classes, {height} x {width} pixels"
    table = figures_table(title, "model", ("parameters M", "encoder G", "decoder G", "whole G"))
    for name, known in staged_presets().items():
        if args.decoder not in (None, *known.decoders):
            continue
        parts = count(_preset(name, args), height, width)
        groups = [[part for part in parts if part.name.startswith(prefix)] for prefix in ("encoder", "decoder")]
        mega, giga = _cells(parts)
        table.add_row(name, mega, *(_cells(group)[1] for group in groups), giga)
    others = ", ".join(name for name in PRESETS if name not in staged_presets())
    table.caption = f"segnext info MODEL counts one, of these too: {others}; or any ENCODER+DECODER"
    return table


def _cells(parts: Sequence["Part"]) -> tuple[str, str]:
    """Parameters in 1e6 and multiply-adds in 1e9."""
    mega = sum(part.parameters for part in parts) / 1e6
    giga = sum(part.operations for part in parts) / 1e9
    return f"{mega:.3f}", f"{giga:.3f}"


def _print_published(console: "Console") -> None:
    """The paper's tables of the four sizes and of the decoders."""
    from segnext.model.complexity import published_decoders, published_models

    console.print(_published_table("SegNeXt", published_models()))
    console.print(_published_table("Decoders of SegNeXt-T, ADE20K", published_decoders()))


def _published_table(title: str, lines: Sequence["Published"]) -> "Table":
    from segnext.model.complexity import count
    from segnext.tables import figures_table

    columns = ("input", "M\npaper", "M\ncounted", "G\npaper", "G\ncounted", "mIoU\npaper")
    table = figures_table(title, "", columns)
    for line in lines:
        parts = count(line.config, line.height, line.width)
        mega, giga = (float(cell) for cell in _cells(parts))
        published = "" if line.mega is None else f"{line.mega:.1f}"
        size = f"{line.height}x{line.width}"
        table.add_row(line.title, size, published, f"{mega:.2f}", f"{line.giga:.1f}", f"{giga:.2f}", f"{line.miou:.1f}")
    return table
