"""The trials: each a training run with other settings, in a folder of its own; what is done is kept."""

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segnext.documents import parse_yaml, read_yaml
from segnext.errors import SegNextError
from segnext.files import claimed, replacing
from segnext.plain import to_yaml
from segnext.training.config import TrainConfig
from segnext.training.log import Record
from segnext.training.train import Run, train
from segnext.tuning.space import Space

if TYPE_CHECKING:
    import optuna

SETTINGS = "tune.yaml"
STARTUP = 4  # trials that are drawn at random and never pruned, before the others learn from them
Make = Callable[[dict[str, Any]], TrainConfig]  # settings by dotted name -> the whole configuration


@dataclass(frozen=True)
class Trial:
    """A trial that is over.

    Attributes:
        number: from 0.
        state: complete, pruned or failed.
        settings: what was searched, by name.
        miou: the best on val, 0..1; None where nothing was measured.
        step: at which it was measured.
        folder: of its run.
        failure: why it could not be trained, or "".
        never_predicted: classes in the truth of val that it predicts nowhere at that step.
    """

    number: int
    state: str
    settings: dict[str, Any]
    miou: float | None
    step: int | None
    folder: Path
    failure: str = ""
    never_predicted: tuple[str, ...] = ()


def tune(make: Make, space: Space, trials: int, out: Path, show: Callable[[list[Trial]], None]) -> list[Trial]:
    """Search `space` in `trials` trials in all; go on where an earlier call stopped.

    Trials after the first few that are worse on val than the median of the others at the same step are broken off.

    Args:
        make: the configuration of some settings.
        space: what is searched.
        trials: how many.
        out: folder of all.
        show: called after each trial with all that are over, the best first.

    Raises:
        SegNextError: when Optuna is not installed, the settings do not fit, or differ from those the folder was begun
            with.
        Stopped: when a signal ended a trial, which the next call goes on with.
    """
    if find_spec("optuna") is None:
        raise SegNextError("tune needs the package optuna, which is not installed; run: pip install 'segnext[tune]'")
    import optuna

    for name, entry in space.items():
        for value in entry.ends:
            base = make({name: value})
    if base.val_split is None:
        raise SegNextError("tune compares mIoU on val; give a --val-split")
    try:
        out.mkdir(parents=True, exist_ok=True)
        with claimed(out, f"{out}: another process searches there; wait until it ends, or choose another --out"):
            _keep_settings(out, make({}), space)
            study = _study(optuna, out, base.seed)
            _take_up(optuna, study)
            while len(finished := outcomes(study, out)) < trials:
                _trial(optuna, study, make, space, out)
                show(ranked(outcomes(study, out)))
    except OSError as error:
        file = error.filename or out
        raise SegNextError(f"{file}: cannot be written ({error.strerror}); make room, then run it again") from error
    show(ranked(finished))
    return ranked(finished)


def _study(optuna: Any, out: Path, seed: int) -> "optuna.Study":
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.create_study(  # type: ignore[no-any-return]
        storage=f"sqlite:///{out.resolve()}/study.db",
        study_name="segnext",
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=seed, n_startup_trials=STARTUP),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=STARTUP),
        load_if_exists=True,
    )


def _take_up(optuna: Any, study: "optuna.Study") -> None:
    """Put the trial that a killed process was in first in line, with its settings and its folder."""
    for trial in study.get_trials(states=(optuna.trial.TrialState.RUNNING,)):
        folder = trial.user_attrs.get("folder", _folder(trial.number))
        study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
        study.enqueue_trial(trial.params, user_attrs={"folder": folder})


def _trial(optuna: Any, study: "optuna.Study", make: Make, space: Space, out: Path) -> None:
    trial = study.ask()
    settings = {name: entry.suggest(trial, name) for name, entry in space.items()}
    folder = out / trial.user_attrs.get("folder", _folder(trial.number))
    trial.set_user_attr("folder", folder.name)
    config = replace(make(settings), out=str(folder))

    measured: set[int] = set()

    def report(step: int, metrics: dict[str, Any]) -> None:
        if step not in measured:  # before the run was killed, and again since
            measured.add(step)
            trial.report(metrics["miou"] or 0.0, step)
        if trial.should_prune():
            raise optuna.TrialPruned

    resume = (folder / "config.yaml").is_file()
    try:
        if resume:
            for line in _measured(Run(folder)):
                measured.add(line["step"])
                trial.report(line["miou"] or 0.0, line["step"])
        run = train(config, resume=resume, on_eval=report)
    except optuna.TrialPruned:
        study.tell(trial, state=optuna.trial.TrialState.PRUNED)
    except SegNextError as error:
        trial.set_user_attr("failure", str(error))
        study.tell(trial, state=optuna.trial.TrialState.FAIL)
    else:
        study.tell(trial, run.best["miou"] if run.best else 0.0)


def _measured(run: Run) -> list[Record]:
    """The val lines of a run that may not have come so far."""
    try:
        return run.log[1]
    except SegNextError:
        return []


def _folder(number: int) -> str:
    return f"trial-{number:04}"


def outcomes(study: "optuna.Study", out: Path) -> list[Trial]:
    """The trials that are over, in their order; one that was taken up again counts once."""
    found = []
    for trial in study.get_trials(deepcopy=False):
        failure = trial.user_attrs.get("failure", "")
        state = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}.get(trial.state.name)
        if state is None or (state == "failed" and not failure):
            continue
        step, miou = max(trial.intermediate_values.items(), key=lambda one: one[1], default=(None, None))
        folder = out / trial.user_attrs.get("folder", _folder(trial.number))
        settings = {
            name: json.loads(value) if isinstance(value, str) else value for name, value in trial.params.items()
        }
        lines = {line["step"]: line for line in _measured(Run(folder))}
        never = tuple(lines.get(step, {}).get("never_predicted", ()))
        found.append(Trial(trial.number, state, settings, miou, step, folder, failure, never))
    return found


def ranked(trials: list[Trial]) -> list[Trial]:
    """The best first; those that failed last."""
    return sorted(trials, key=lambda trial: (trial.state == "failed", -(trial.miou or 0.0), trial.number))


def keep_best(trials: list[Trial], out: Path) -> None:
    """Write best.yaml, the recipe of the best trial."""
    if trials and trials[0].miou is not None:
        with replacing(out / "best.yaml") as temporary:
            shutil.copyfile(trials[0].folder / "config.yaml", temporary)


def _keep_settings(out: Path, base: TrainConfig, space: Space) -> None:
    """Write down what is searched, or refuse another search than the one that is there."""
    settings = {**asdict(base), "data": str(Path(base.data).resolve()), "out": ""}
    text = to_yaml({"settings": settings, "space": {name: repr(entry) for name, entry in space.items()}})
    file = out / SETTINGS
    if not file.exists():
        with replacing(file) as temporary:
            temporary.write_text(text, encoding="utf-8")
        return
    if parse_yaml(text, str(file)) != read_yaml(file):
        raise SegNextError(
            f"{file}: its trials have other settings, or another space; give the same ones, or another --out"
        )
