"""Cross-validation: a run for each part of the labelled pictures, one after the other, and what they reach together."""

import math
import os
import statistics
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from segnext.errors import SegNextError
from segnext.plain import write_json
from segnext.training.config import TrainConfig
from segnext.training.folder import require_new, write_recipe
from segnext.training.folds import folds_in_all
from segnext.training.log import Record
from segnext.training.stop import Stopped
from segnext.training.task import OnEval, OnStep
from segnext.training.train import Run, train
from segnext.words import quoted

Spread = tuple[float, float]  # mean and standard deviation, 0..1; NaN where there is none


@dataclass(frozen=True)
class CrossValidation:
    """The runs of a cross-validation that has ended.

    Attributes:
        folder: config.yaml, folds.json, and a run's folder for each fold: fold-1, fold-2, ...
        runs: of the folds, in their order.
    """

    folder: Path
    runs: tuple[Run, ...]

    @property
    def best(self) -> list[Record]:
        """The val line of the best weights of each fold that has one; see `Run.best`."""
        return [best for run in self.runs if (best := run.best) is not None]

    @property
    def miou(self) -> Spread:
        """Mean of the folds' best mIoU, and their standard deviation."""
        return _spread(best["miou"] for best in self.best)

    @property
    def iou(self) -> dict[str, Spread]:
        """The same of each class, over the folds in which it occurs."""
        names = dict.fromkeys(name for best in self.best for name in best["iou"])
        values = {name: [best["iou"].get(name) for best in self.best] for name in names}
        return {name: _spread(value for value in found if value is not None) for name, found in values.items()}

    def to_dict(self) -> dict[str, Any]:
        """For JSON, ratios 0..1: each fold's best measurement, and mean and standard deviation over the folds."""
        folds = [{"folder": run.folder.name, **(run.best or {})} for run in self.runs]
        return {
            "folds": folds,
            "miou": _plain(self.miou),
            "iou": {name: _plain(both) for name, both in self.iou.items()},
        }


def cross_validate(
    config: TrainConfig, *, resume: bool = False, on_step: OnStep | None = None, on_eval: OnEval | None = None
) -> CrossValidation:
    """Train `config`, whose fold is "all/N", N times, with each part of the labelled pictures measured on in turn.

    Folds that are done are kept when it is resumed, and the one that was broken off goes on as if nothing had happened.

    Args:
        config: all settings; `out` is the folder of all folds.
        resume: whether the folder holds the cross-validation already.
        on_step: see `train`; called in every fold.
        on_eval: see `train`.

    Raises:
        SegNextError: see `train`; and when fold is not "all/N", or several processes train together.
        Stopped: a KeyboardInterrupt, when a signal ended a fold, with which it goes on when it is resumed.
    """
    count = folds_in_all(config.fold)
    if count is None:
        raise SegNextError(f"fold is {config.fold}; a cross-validation takes all/N, as all/5")
    if int(os.environ.get("WORLD_SIZE", 1)) > 1:
        raise SegNextError(f"fold is {config.fold}, which is for one process; with torchrun give --fold 1/{count}, ...")
    out = Path(config.out)
    config = replace(config, data=str(Path(config.data).resolve()))  # so that it can be resumed from any folder
    try:
        if not resume:
            require_new(out)
            out.mkdir(parents=True, exist_ok=True)
            write_recipe(config)
        done = CrossValidation(out, tuple(_folds(config, count, on_step, on_eval)))
        write_json(done.to_dict(), out / "folds.json")
    except OSError as error:
        raise SegNextError(f"{error.filename or out}: cannot be written ({error.strerror}); make room") from error
    except Stopped as stop:
        raise Stopped(f"{stop}; all folds go on by --resume {quoted(out)}", stop.signal) from stop
    finally:
        if not any(out.glob("fold-*/config.yaml")):  # without a step nothing is in the way of the next one
            (out / "config.yaml").unlink(missing_ok=True)
    return done


def _folds(config: TrainConfig, count: int, on_step: OnStep | None, on_eval: OnEval | None) -> Iterable[Run]:
    for number in range(1, count + 1):
        folder = Path(config.out) / f"fold-{number}"
        fold = replace(config, fold=f"{number}/{count}", out=str(folder))
        yield train(fold, resume=(folder / "config.yaml").is_file(), on_step=on_step, on_eval=on_eval)


def _spread(values: Iterable[float]) -> Spread:
    found = [*values]
    mean = statistics.fmean(found) if found else math.nan
    return mean, statistics.stdev(found) if len(found) > 1 else math.nan


def _plain(both: Spread) -> dict[str, float | None]:
    """JSON has no NaN."""
    return {name: None if math.isnan(value) else value for name, value in zip(("mean", "std"), both, strict=True)}
