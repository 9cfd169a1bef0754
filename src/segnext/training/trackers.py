"""Numbers and pictures for Weights & Biases and MLflow, through their own libraries; an optional extra."""

import json
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from segnext.errors import SegNextError
from segnext.plain import write_json
from segnext.preprocess import Image
from segnext.training.config import Settings

PROJECT = "segnext"  # unless WANDB_PROJECT or MLFLOW_EXPERIMENT_NAME says otherwise
KEPT = "trackers.json"  # in the run's folder: under which name each service knows the run, so that it can go on


class Tracker(Protocol):
    """Where numbers and pictures of a run go."""

    def scalar(self, name: str, step: int, value: float) -> None: ...
    def image(self, name: str, step: int, picture: Image) -> None: ...
    def close(self) -> None: ...


class Wandb:
    """A run of Weights & Biases, in the run's folder too; WANDB_MODE=offline keeps it there alone."""

    def __init__(self, config: Settings, known: str | None) -> None:
        self.wandb = _library("wandb")
        out = Path(config.out).resolve()
        project = os.environ.get("WANDB_PROJECT", PROJECT)
        self.run = self.wandb.init(
            project=project, name=out.name, dir=str(out), id=known, resume="allow", config=asdict(config)
        )
        self.name = str(self.run.id)

    def scalar(self, name: str, step: int, value: float) -> None:
        """Add a number."""
        self.run.log({name: value}, step=step)

    def image(self, name: str, step: int, picture: Image) -> None:
        """Add a picture, H x W x 3."""
        self.run.log({name: self.wandb.Image(picture)}, step=step)

    def close(self) -> None:
        """Send what is left."""
        self.run.finish()


class Mlflow:
    """A run of MLflow, where MLFLOW_TRACKING_URI says."""

    def __init__(self, config: Settings, known: str | None) -> None:
        mlflow = _library("mlflow")
        self.client = mlflow.MlflowClient()
        if known is None:
            name = os.environ.get("MLFLOW_EXPERIMENT_NAME", PROJECT)
            found = self.client.get_experiment_by_name(name)
            experiment = self.client.create_experiment(name) if found is None else found.experiment_id
            run = self.client.create_run(experiment, run_name=Path(config.out).resolve().name)
            known = str(run.info.run_id)
            for key, value in _flat(asdict(config)):
                self.client.log_param(known, key, value)
        self.name = known
        self.client.update_run(known, "RUNNING")

    def scalar(self, name: str, step: int, value: float) -> None:
        """Add a number; letters that MLflow does not take in names become underscores."""
        self.client.log_metric(self.name, re.sub(r"[^\w/\-. ]", "_", name), value, step=step)

    def image(self, name: str, step: int, picture: Image) -> None:
        """Add a picture, H x W x 3."""
        self.client.log_image(self.name, picture, key=name.replace("/", " "), step=step)

    def close(self) -> None:
        """Say that the run has ended; one that goes on later says so then."""
        self.client.set_terminated(self.name)


KINDS: dict[str, Callable[[Settings, str | None], Wandb | Mlflow]] = {"wandb": Wandb, "mlflow": Mlflow}


def trackers(config: Settings) -> Sequence[Tracker]:
    """Those that the run wants, going on with what they know of it.

    Raises:
        SegNextError: when a library is not installed, or its service does not answer.
    """
    if not config.track:
        return ()
    kept = Path(config.out) / KEPT
    known: dict[str, str] = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
    found = []
    for kind in config.track:
        try:
            found.append(KINDS[kind](config, known.get(kind)))
        except (SegNextError, OSError):
            raise
        except Exception as error:  # their own, without a common kind
            raise SegNextError(
                f"{kind}: does not take the run ({error}); mend its settings, or leave it out"
            ) from error
    write_json({**known, **{kind: one.name for kind, one in zip(config.track, found, strict=True)}}, kept)
    return found


def _library(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise SegNextError(f"track names {name}, which is not installed; run: pip install 'segnext[track]'") from error


def _flat(settings: dict[str, Any], before: str = "") -> list[tuple[str, Any]]:
    """Dotted names and values."""
    found = []
    for key, value in settings.items():
        found += _flat(value, f"{before}{key}.") if isinstance(value, dict) else [(before + key, value)]
    return found
