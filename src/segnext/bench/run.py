"""A whole benchmark: every way, the machine's limits, and what the network has to do."""

from functools import partial

from segnext.bench.measure import Progress, measure
from segnext.bench.profile import Profile
from segnext.bench.task import Task
from segnext.bench.timings import Timings
from segnext.bench.ways import OURS, Way
from segnext.bench.work import operations
from segnext.bench.worker import Worker
from segnext.checkpoint.weights import load_weights
from segnext.model.config import ExportedConfig, inside


def benchmark(name: str, ways: list[Way], task: Task, rounds: int, progress: Progress) -> Timings:
    """Measure all `ways`.

    Args:
        name: of the model or weights, for the report.
        ways: the plain one first; of an exported file, its own.
        task: what they do.
        rounds: how many rounds count.
        progress: is told about every step.

    Raises:
        SegNextError: when a way cannot be had or its process ends.
    """
    measured, limits = measure(ways, task, rounds, progress)
    config = load_weights(task.weights).config
    exported = isinstance(config, ExportedConfig)
    size = task.input_size()
    own = [way for way in ways if way.network == OURS]
    precisions = dict.fromkeys(way.precision for way in own)
    work = {precision: operations(inside(config), *size, precision) for precision in precisions}
    profile = None
    if not exported and (found := [way.precision for way in own if way.engine == "openvino"]):
        with Worker("profile", partial(Profile, task, found[-1])) as worker:
            profile = found[-1], worker.call("kinds")
    return Timings(name, task.size(), config.num_classes, limits, measured, work, profile)
