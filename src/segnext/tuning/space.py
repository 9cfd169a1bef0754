"""Which settings are searched, and where.

optimizer.lr: {low: 1.0e-5, high: 1.0e-2, log: true}
class_balance: {low: 0, high: 1}
batch_size: [4, 8, 16]
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segnext.documents import read_yaml, shown
from segnext.errors import SegNextError


@dataclass(frozen=True)
class Choice:
    """One of some values."""

    values: tuple[Any, ...]

    @property
    def ends(self) -> tuple[Any, ...]:
        """What has to fit the setting."""
        return self.values

    def suggest(self, trial: Any, name: str) -> Any:
        """A value for a trial of Optuna's, which takes nothing but plain ones; lists are chosen by their text."""
        texts = [json.dumps(value) for value in self.values]
        return json.loads(trial.suggest_categorical(name, texts))


@dataclass(frozen=True)
class Range:
    """A number from `low` to `high`, whole if both are; by powers if `log`."""

    low: float
    high: float
    log: bool = False

    @property
    def ends(self) -> tuple[Any, ...]:
        """What has to fit the setting."""
        return self.low, self.high

    def suggest(self, trial: Any, name: str) -> Any:
        """A value for a trial of Optuna's."""
        whole = isinstance(self.low, int) and isinstance(self.high, int)
        return (trial.suggest_int if whole else trial.suggest_float)(name, self.low, self.high, log=self.log)


Space = dict[str, Choice | Range]


def read_space(file: Path) -> Space:
    """The space in a YAML file.

    Raises:
        SegNextError: when it is none.
    """
    content = read_yaml(file)
    if not isinstance(content, Mapping) or not content:
        raise SegNextError(f"{file}: lists no settings; write 'optimizer.lr: {{low: 1.0e-5, high: 1.0e-2, log: true}}'")
    return {str(name): _entry(str(name), entry, file) for name, entry in content.items()}


def _entry(name: str, entry: Any, file: Path) -> Choice | Range:
    if isinstance(entry, list) and entry:
        return Choice(tuple(tuple(value) if isinstance(value, list) else value for value in entry))
    if isinstance(entry, Mapping) and {"low", "high"} <= entry.keys() <= {"low", "high", "log"}:
        low, high, log = entry["low"], entry["high"], entry.get("log", False)
        numbers = all(type(end) in (int, float) and math.isfinite(end) for end in (low, high))
        if numbers and low < high and isinstance(log, bool) and (low > 0 or not log):
            return Range(low, high, log)
    raise SegNextError(
        f"{file}: {name} is {shown(entry)}; write a list of values, or {{low: NUMBER, high: NUMBER}}, low below high, "
        "and log: true for numbers above 0 that differ by factors"
    )
