"""What `segnext info` says of weights: a file, a run's folder, a name."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from segnext.words import quoted


def about_weights(name: str, height: int, width: int, *, speed: bool) -> dict[str, Any]:
    """Everything about weights, as JSON takes it.

    Args:
        name: of the weights, as `weights_path` takes it.
        height: of the picture that work and time are told for.
        width: of it.
        speed: whether to measure how quick they are here.

    Raises:
        SegNextError: when there are no such weights, or they are damaged.
    """
    from segnext.checkpoint.describe import describe
    from segnext.checkpoint.find import weights_path
    from segnext.checkpoint.weights import load_weights
    from segnext.inference.engines import RUNS
    from segnext.inference.pace import pace
    from segnext.model.complexity import count, to_dict
    from segnext.training.folder import progress_of

    path = weights_path(name)
    about = {"name": name, **describe(path)}
    if Path(name).is_dir() and (progress := progress_of(Path(name))) is not None:
        done, whole = progress
        about["run"] = {"steps": done, "of": whole, "resumable": (Path(name) / "state.pt").is_file()}
    if about["holds"] == "network":
        weights = load_weights(path)
        about |= to_dict(count(weights.config, height, width), height, width)
    if speed and (about["holds"] == "network" or about.get("exported", {}).get("to") in RUNS):
        about["speed"] = pace(load_weights(path), height, width)
    return about


def rows(about: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Name and text of what people want to know."""
    from segnext.checkpoint.describe import facts

    if run := about.get("run"):
        of = f" of {run['of']:,}" if run["of"] is not None else ""
        broken = run["of"] is not None and run["steps"] < run["of"]
        resume = f"; segnext train --resume {quoted(about['name'])}" if broken else ""
        yield "run", f"step {run['steps']:,}{of}{resume}"
    yield from facts(about)
    if "parameters" in about:
        size = f"{about['height']} x {about['width']}"
        mega, giga = about["parameters"] / 1e6, about["multiply_adds"] / 1e9
        yield "size", f"{mega:.2f} M parameters, {giga:.2f} G multiply-adds at {size}"
    if speed := about.get("speed"):
        ran = f"{speed['engine']}, {speed['precision']}, {speed['device']}"
        size = f"{speed['height']} x {speed['width']}"
        yield "speed", f"{1000 * speed['seconds']:.0f} ms from a picture of {size} to its labels, here, by {ran}"
