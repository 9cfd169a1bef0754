"""segnext compare: networks side by side on a data set of yours, with one budget."""

import argparse
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segnext.cli.outputs import complain, show
from segnext.cli.parser import Parser
from segnext.cli.train import parse
from segnext.documents import read_yaml, shown
from segnext.errors import SegNextError
from segnext.plain import to_yaml
from segnext.progress import progress

if TYPE_CHECKING:
    from segnext.compare.contest import Budget, Entry
    from segnext.compare.results import Result
    from segnext.training.config import TrainConfig

DESCRIPTION = """Train networks on the same data with the same budget, several times each, and measure them all.
The recipe is YAML: 'models', a list of names, or of settings of 'segnext train' with a 'model' and perhaps a 'name';
'seconds' of training for each, or 'iterations'; 'seeds'; and any settings of 'segnext train', which hold for all.
A model is a preset, ENCODER+DECODER, or module:function of yours, which is called with num_classes and in_channels and
returns a torch module, image -> logits. Settings of 'segnext train' are taken as flags too, and override the recipe.
Run again after an interruption: what is done is kept, the broken run goes on; networks may be added to the recipe."""
SEEDS = 3
ROUNDS = 10
NAME = re.compile(r"[\w.+-]+")  # of a folder


def main(arguments: list[str]) -> int:
    """Parse, train, measure; write OUT/compare.html, .md, .json and .png. Returns 1 when one failed, 2 when all did."""
    known, flags = _parser().parse_known_args(arguments)
    recipe = _read(known.recipe)
    budget = _budget(recipe, known, flags)  # torch is imported only now, which takes a second
    entries = _entries(recipe, known, flags)

    from segnext.compare.run import compare
    from segnext.training.stop import Stopped

    def tell(result: "Result") -> None:
        mious = ", ".join(f"{100 * miou:.2f}" for miou in result.mious)
        if mious:
            show(f"{result.name}: mIoU {mious} %")
        if result.failure:
            complain("compare", f"{result.name}: {result.failure}")

    try:
        with progress("rounds") as watch:
            found = compare(entries, budget, known.out, rounds=known.rounds, show=tell, progress=watch)
    except Stopped as stop:
        complain("compare", str(stop))
        return 128 + stop.signal
    for line in found.markdown().splitlines():
        show(line)
    show(f"page, table, numbers and picture: {known.out / 'compare.html'}, compare.md, compare.json, compare.png")
    failed = [bool(result.failure) for result in found.results]
    return 2 if all(failed) else int(any(failed))


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="segnext compare",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("recipe", type=Path, metavar="RECIPE.yaml", help="the networks, the budget, the settings")
    parser.add_argument("--data", required=True, metavar="DIR", help="folder with a dataset.yaml, or see --format")
    parser.add_argument("--out", type=Path, required=True, metavar="OUT", help="folder for runs and results")
    parser.add_argument("--models", metavar="M,...", help="names of the recipe's entries to take part (default: all)")
    parser.add_argument("--seconds", type=float, metavar="S", help="training time for each network and seed")
    parser.add_argument(
        "--clock",
        choices=("wall", "processor"),
        help="what the seconds are of: wall-clock time, or processor time of all cores together, which what else the "
        "machine does hardly changes (default: wall)",
    )
    parser.add_argument("--seeds", type=int, metavar="N", help=f"runs of each network (default: {SEEDS})")
    parser.add_argument(
        "--rounds", type=int, default=ROUNDS, metavar="N", help="of the costs' measurement; 0 for none (default: 10)"
    )
    return parser


def _read(path: Path) -> dict[str, Any]:
    """The recipe, whose `models` are a list.

    Raises:
        SegNextError: when it is none.
    """
    recipe = read_yaml(path)
    if not isinstance(recipe, dict) or not isinstance(recipe.get("models"), list) or not recipe["models"]:
        raise SegNextError(
            f"{path}: no recipe of a comparison; give it a list 'models', such as [segnext_t, mscan_t+psp]"
        )
    return recipe


def _budget(recipe: dict[str, Any], known: argparse.Namespace, flags: list[str]) -> "Budget":
    """What is taken out of the recipe for it; flags override that, and --iterations the seconds.

    Raises:
        SegNextError: when it is none.
    """
    from segnext.compare.contest import Budget

    names = {"seeds": SEEDS, "seconds": None, "clock": "wall"}
    given = {name: recipe.pop(name, default) for name, default in names.items()}
    if any(flag.partition("=")[0] == "--iterations" for flag in flags):
        if known.seconds is not None:
            raise SegNextError("--seconds tells how many steps each network takes; leave out --iterations")
        given["seconds"] = None
    given |= {name: getattr(known, name) for name in names if getattr(known, name) is not None}
    if type(given["seeds"]) is not int or type(given["seconds"]) not in (int, float, type(None)):
        seeds, seconds = shown(given["seeds"]), shown(given["seconds"])
        raise SegNextError(f"{known.recipe}: seeds {seeds} or seconds {seconds} is no number; give one")
    return Budget(given["seconds"], given["seeds"], given["clock"])


def _entries(recipe: dict[str, Any], known: argparse.Namespace, flags: list[str]) -> "list[Entry]":
    """The networks that take part, each with settings of its own over those of all.

    Raises:
        SegNextError: for wrong settings, a name that is there twice, and one that is not there.
    """
    from segnext.compare.contest import Entry

    chosen = None if known.models is None else [name.strip() for name in known.models.split(",")]
    entries: dict[str, Entry | None] = {}
    for given in recipe.pop("models"):
        own = {"model": given} if isinstance(given, str) else dict(given) if isinstance(given, dict) else {}
        if not isinstance(own.get("model"), str):
            raise SegNextError(
                f"{known.recipe}: {shown(given)} is no entry of 'models'; give a name, or settings with a 'model'"
            )
        name = str(own.pop("name", own["model"].replace(":", ".")))
        if not NAME.fullmatch(name) or name in entries:
            raise SegNextError(
                f"{known.recipe}: '{name}' is taken, or cannot name a folder; give this entry another 'name'"
            )
        wanted = chosen is None or name in chosen
        entries[name] = Entry(name, _config({**recipe, **own}, name, known, flags)) if wanted else None
    if missing := [name for name in chosen or () if name not in entries]:
        raise SegNextError(f"--models names {missing[0]}, which {known.recipe} lacks; it has {', '.join(entries)}")
    return [entry for entry in entries.values() if entry is not None]


def _config(settings: Mapping[str, Any], name: str, known: argparse.Namespace, flags: list[str]) -> "TrainConfig":
    """How a network is trained."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{name}.yaml"
        file.write_text(to_yaml(settings), encoding="utf-8")
        place = ["--data", known.data, "--out", str(known.out / name)]
        config, resume = parse(["--config", str(file), *place, *flags])
    if resume:
        raise SegNextError("a comparison is gone on with by giving the same --out; leave out --resume")
    return config
