"""A whole comparison: trained, measured, and written down after every network."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from segnext.checkpoint.weights import load_weights
from segnext.compare.apart import told, train_apart
from segnext.compare.contest import Budget, Entry, Trained, contest, keep_settings, require_comparable
from segnext.compare.measure import LAST, Cost, costs, measured, training_peak
from segnext.compare.page import write
from segnext.compare.picture import draw
from segnext.compare.results import Comparison, Result
from segnext.data.folder import DataSet
from segnext.data.formats.public.open import open_data
from segnext.files import replacing
from segnext.inference.runtime import DeviceName
from segnext.model.complexity import count
from segnext.model.functions import allow
from segnext.plain import write_json
from segnext.progress import Watch
from segnext.words import counted

SETTINGS = "settings.json"  # in the folder of a network


@dataclass
class _Run:
    """A comparison on its way.

    Attributes:
        entries: the networks.
        budget: what each gets.
        out: folder for the results.
        data: what all are measured on.
        found: results so far, by name.
    """

    entries: Sequence[Entry]
    budget: Budget
    out: Path
    data: DataSet
    found: dict[str, Result]

    def keep(self, entry: Entry, trained: Trained) -> Result:
        """Measure a trained network on val."""
        result = Result(entry.name, entry.config.model, failure=trained.failure, iterations=trained.iterations)
        try:
            if trained.runs:
                result = self._measured(entry, trained, result)
        except Exception as error:  # of a network of the user's own, any
            result = replace(result, failure=told(error))
        self.found[entry.name] = result
        return result

    def _measured(self, entry: Entry, trained: Trained, result: Result) -> Result:
        weights = load_weights(trained.runs[0] / LAST)
        reached = [measured(run, entry.config, self.data) for run in trained.runs]
        parts = count(weights.config, *weights.preprocess.size(*self.size))
        return replace(
            result,
            counts=tuple(one.counts for one in reached),
            along=tuple(one.along for one in reached),
            parameters=sum(part.parameters for part in parts),
            operations=sum(part.operations for part in parts),
            seconds=trained.seconds,
            training_peak=training_peak(trained.runs),
        )

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the first picture of val."""
        config = self.entries[0].config
        assert config.val_split is not None
        height, width = self.data.pairs(config.val_split)[0].read_mask(self.data.labels).shape[-2:]
        return int(height), int(width)

    def comparison(self) -> Comparison:
        """What has been found so far."""
        seconds = self.budget.seconds
        steps = sorted({entry.config.iterations for entry in self.entries})
        of = {"wall": "training", "processor": "processor time in training"}[self.budget.clock]
        budget = f"{' / '.join(f'{step:,}' for step in steps)} steps" if seconds is None else f"{seconds:g} s of {of}"
        caption = f"{self.data.labels.name}, {budget} each, {counted(self.budget.seeds, 'seed')}"
        done = sum(len(result.counts) for result in self.found.values())
        if done < (total := self.budget.seeds * len(self.entries)):
            caption += f"; {done} of {total} runs"
        results = [self.found[entry.name] for entry in self.entries if entry.name in self.found]
        return Comparison(caption, self.data.labels.classes, self.size, results)

    def write(self) -> None:
        """Write all files anew."""
        comparison = self.comparison()
        with replacing(self.out / "compare.md") as temporary:
            temporary.write_text(comparison.markdown(), encoding="utf-8")
        write_json(comparison.to_dict() | asdict(self.budget), self.out / "compare.json")
        draw(comparison, self.out / "compare.png")
        settings: dict[str, Any] = {entry.name: asdict(entry.config) for entry in self.entries}
        write(comparison, settings, self.out / "compare.html")


def compare(
    entries: Sequence[Entry],
    budget: Budget,
    out: Path,
    *,
    rounds: int,
    show: Callable[[Result], None],
    progress: Watch,
) -> Comparison:
    """Train every network with every seed, measure all, and write compare.md, .json, .png and .html into `out`.

    What an earlier call has done is kept: runs that are complete, counts on val; networks may be added later.

    Args:
        entries: the networks, each with its own folder in `out`.
        budget: steps or seconds, and seeds.
        out: folder for all.
        rounds: in which the costs are measured.
        show: called when a network is trained and measured on val.
        progress: told of the costs' measurement.

    Raises:
        SegNextError: when the settings cannot be compared, or a network's folder was begun with others.
        Stopped: when a signal ended a run.
    """
    require_comparable([entry.config for entry in entries])
    for entry in entries:
        if ":" in entry.config.model:
            allow(entry.config.model)  # which is trained in another process, and measured here
        keep_settings(Path(entry.config.out) / SETTINGS, budget.of_a_run, entry.config)
    first = entries[0].config
    run = _Run(entries, budget, out, open_data(Path(first.data), first.format), {})
    by_name = {entry.name: entry for entry in entries}

    def done(name: str, trained: Trained) -> None:
        show(run.keep(by_name[name], trained))
        run.write()

    contest(entries, budget, done, train_apart)
    _measure_costs(run, rounds, progress)
    run.write()
    return run.comparison()


def _measure_costs(run: _Run, rounds: int, progress: Watch) -> None:
    import torch

    weights = {
        entry.name: Path(entry.config.out) / f"seed-{entry.config.seed}" / LAST
        for entry in run.entries
        if run.found[entry.name].counts
    }
    if not weights or rounds < 1:
        return
    config = run.entries[0].config
    assert config.val_split is not None
    pair = run.data.pairs(config.val_split)[0]
    found: dict[str, dict[str, Cost]] = {name: {} for name in weights}
    devices: tuple[DeviceName, ...] = ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",)
    for device in devices:
        for name, cost in costs(weights, pair, device, rounds, progress).items():
            found[name][device] = cost
    for name, by_device in found.items():
        run.found[name] = replace(run.found[name], costs=by_device)
