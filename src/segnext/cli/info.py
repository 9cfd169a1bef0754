"""segnext info: what networks are made of, and what weights are."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segnext.choices import either, nearest
from segnext.cli.options import image_size, positive
from segnext.cli.outputs import require_writable, show, write_results
from segnext.errors import SegNextError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from segnext.model.complexity import Part, Published
    from segnext.model.config import NetworkConfig

SIZE = 512, 512  # height and width, where nothing is said
COUNTED = "M: 1e6 parameters. G: 1e9 multiply-adds of convolutions and matrix products, not of norms and the like."
NO_TABLE_OF = "--table prints the paper's models at the paper's sizes; leave out MODEL, --size, --classes and --decoder"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `segnext info`."""
    parser.add_argument(
        "model",
        metavar="MODEL",
        nargs="?",
        help="weights (a name, file, run's folder, OWNER/NAME), or a model, such as segnext_t (default: all models)",
    )
    parser.add_argument(
        "--size", type=image_size, metavar="HxW", help="height and width of the image (default: 512x512)"
    )
    parser.add_argument("--classes", type=positive, metavar="N", help="number of classes (default: 150)")
    parser.add_argument("--decoder", metavar="D", help="ham, mlp, aspp, psp or danet (default: ham)")
    parser.add_argument("--no-speed", action="store_true", help="of weights, do not measure how quick they are here")
    parser.add_argument("--table", action="store_true", help="the paper's tables, published and counted side by side")
    parser.add_argument("--json", type=Path, metavar="F", help="write it all to this file, or - for stdout")


def run(args: argparse.Namespace) -> int:
    """Print what there is to know of weights, a model, all models or the paper's tables."""
    from rich.console import Console

    console = Console()
    if args.json:
        require_writable(args.json, "--json")
    if args.table:
        if any(value is not None for value in (args.model, args.size, args.classes, args.decoder)):
            raise SegNextError(NO_TABLE_OF)
        found: Any = _published(console)
    elif args.model is None:
        found = _all_models(console, args)
    elif _is_model(args.model):
        found = _one_model(console, args)
    else:
        _require_known(args.model)
        found = _weights(console, args)
    if not isinstance(found, dict) or "parts" in found:
        console.print(COUNTED, highlight=False)
    if args.json:
        write_results(found, args.json)
    return 0


def _preset(name: str, args: argparse.Namespace) -> "NetworkConfig":
    from segnext.model.config import preset

    given = {"num_classes": args.classes, "decoder": args.decoder}
    return preset(name, **{field: value for field, value in given.items() if value is not None})


def _is_model(name: str) -> bool:
    """Whether MODEL is the name of a network, rather than of weights."""
    from segnext.model.config import PRESETS

    return name in PRESETS or bool(set("+:") & set(name) and not Path(name).exists())


def _require_known(name: str) -> None:
    """Refuse what is nearly the name of a network or of weights, and nothing that is there."""
    from segnext.checkpoint.catalogue import PUBLISHED
    from segnext.checkpoint.find import PACKAGED
    from segnext.model.config import PRESETS

    near = nearest(name, (*PRESETS, *PACKAGED, *PUBLISHED), 0.85)
    if near and name not in near and not Path(name).exists():
        raise SegNextError(f"unknown model or weights '{name}'; did you mean {either(near)}?")


def _weights(console: "Console", args: argparse.Namespace) -> dict[str, Any]:
    """What weights say of themselves, and how quick they are here."""
    from segnext.cli.info_weights import about_weights, rows
    from segnext.model.complexity import Part

    if args.classes is not None or args.decoder is not None:
        raise SegNextError(f"{args.model}: weights have their own classes and decoder; leave out --classes, --decoder")
    height, width = args.size or SIZE
    about = about_weights(args.model, height, width, speed=not args.no_speed)
    for name, text in rows(about):
        show(f"{name:13}{text}")
    if "parts" in about:
        console.print(_parts(args.model, [Part(**part) for part in about["parts"]], height, width))
    return about


def _one_model(console: "Console", args: argparse.Namespace) -> dict[str, Any]:
    """A network without weights, part by part."""
    from segnext.model.complexity import count, to_dict

    config = _preset(args.model, args)
    height, width = args.size or SIZE
    parts = count(config, height, width)
    console.print(_parts(f"{args.model}: {config.num_classes} classes", parts, height, width))
    return {"model": args.model, "classes": config.num_classes, **to_dict(parts, height, width)}


def _parts(name: str, parts: "Sequence[Part]", height: int, width: int) -> "Table":
    """Part by part."""
    from segnext.tables import figures_table

    title = f"{name}, {height} x {width} pixels"
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


def _all_models(console: "Console", args: argparse.Namespace) -> list[dict[str, Any]]:
    """The published models of SegNeXt and SegFormer; the many others are named below."""
    from segnext.model.complexity import count, to_dict
    from segnext.model.config import PRESETS, staged_presets
    from segnext.tables import figures_table

    height, width = args.size or SIZE
    classes = _preset("segnext_t", args).num_classes
    title = f"{classes} classes, {height} x {width} pixels"
    table = figures_table(title, "model", ("parameters M", "encoder G", "decoder G", "whole G"))
    found = []
    for name, known in staged_presets().items():
        if args.decoder not in (None, *known.decoders):
            continue
        parts = count(_preset(name, args), height, width)
        groups = [[part for part in parts if part.name.startswith(prefix)] for prefix in ("encoder", "decoder")]
        mega, giga = _cells(parts)
        table.add_row(name, mega, *(_cells(group)[1] for group in groups), giga)
        found.append({"model": name, "classes": classes, **to_dict(parts, height, width)})
    others = ", ".join(name for name in PRESETS if name not in staged_presets())
    table.caption = f"segnext info MODEL counts one, of these too: {others}; or any ENCODER+DECODER"
    console.print(table)
    return found


def _cells(parts: Sequence["Part"]) -> tuple[str, str]:
    """Parameters in 1e6 and multiply-adds in 1e9."""
    mega = sum(part.parameters for part in parts) / 1e6
    giga = sum(part.operations for part in parts) / 1e9
    return f"{mega:.3f}", f"{giga:.3f}"


def _published(console: "Console") -> list[dict[str, Any]]:
    """The paper's tables of the four sizes and of the decoders."""
    from segnext.model.complexity import published_decoders, published_models

    found = []
    tables = {"SegNeXt": published_models(), "Decoders of SegNeXt-T, ADE20K": published_decoders()}
    for title, lines in tables.items():
        table, counted = _published_table(title, lines)
        console.print(table)
        found += counted
    return found


def _published_table(title: str, lines: Sequence["Published"]) -> tuple["Table", list[dict[str, Any]]]:
    from segnext.model.complexity import count, to_dict
    from segnext.tables import figures_table

    columns = ("input", "M\npaper", "M\ncounted", "G\npaper", "G\ncounted", "mIoU\npaper")
    table, found = figures_table(title, "", columns), []
    for line in lines:
        parts = count(line.config, line.height, line.width)
        mega, giga = (float(cell) for cell in _cells(parts))
        published = "" if line.mega is None else f"{line.mega:.1f}"
        size = f"{line.height}x{line.width}"
        table.add_row(line.title, size, published, f"{mega:.2f}", f"{line.giga:.1f}", f"{giga:.2f}", f"{line.miou:.1f}")
        paper = {"parameters": line.mega and line.mega * 1e6, "multiply_adds": line.giga * 1e9, "miou": line.miou / 100}
        found.append({"model": line.title, "paper": paper, **to_dict(parts, line.height, line.width)})
    return table, found
