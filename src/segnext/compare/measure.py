"""What trained networks reach on val, picture by picture, and what they cost."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from segnext.bench.energy import joules_between, read_joules
from segnext.bench.measure import Progress, take_turns
from segnext.bench.worker import Worker
from segnext.checkpoint.weights import load_weights
from segnext.compare.apart import PEAK
from segnext.compare.significance import Counts
from segnext.data.folder import DataSet, Pair
from segnext.errors import SegNextError
from segnext.evaluation.boundaries import outlines
from segnext.evaluation.evaluate import compared, confusion, predictor, source_of
from segnext.evaluation.metrics import Metrics
from segnext.files import replacing
from segnext.inference.load import load
from segnext.inference.runtime import DeviceName
from segnext.progress import say
from segnext.training.config import TrainConfig
from segnext.training.fingerprint import fingerprints

COUNTS = "counts.npz"  # in a run's folder
LAST = "last.safetensors"


class Measured(NamedTuple):
    """What is counted on val.

    Attributes:
        counts: pixels of each picture and class.
        along: what is counted along the outlines of all pictures, see `boundaries.boundary_counts`.
    """

    counts: Counts
    along: NDArray[np.int64]


def measured(run: Path, config: TrainConfig, data: DataSet) -> Measured:
    """What the weights of the run's last step reach on val; kept in the run's folder while val is what it was.

    Measured as in training: by torch in fp32, with the settings' `testing`.
    """
    assert config.val_split is not None
    pairs = data.pairs(config.val_split)
    file = run / COUNTS
    weights = run / LAST
    told = f"{load_weights(weights).digest} {_digest(pairs, config.data)}"
    if file.exists():
        with np.load(file) as kept:
            if "of" in kept and str(kept["of"]) == told:
                return Measured(np.asarray(kept["counts"]), np.asarray(kept["along"]))
    segmenter = load(weights, config.device, engine="torch", precision="fp32", testing=config.testing)
    labels, found, along = data.labels, [], np.zeros((6, len(data.labels)), np.int64)
    for truth, prediction in compared(predictor(segmenter), pairs, labels):
        one = Metrics(confusion(truth, prediction, labels), labels.classes, 1)
        found.append(np.stack([one.hits, one.true, one.predicted], axis=1))
        along += outlines(truth, prediction, labels)
    counts = np.stack(found)
    with replacing(file) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, counts=counts, along=along, of=told)
    return Measured(counts, along)


def _digest(pairs: Sequence[Pair], root: str) -> str:
    """Of names, sizes and times of the pictures and masks."""
    files = [str(file) for pair in pairs for file in (pair.image, pair.mask)]
    return hashlib.blake2b(fingerprints(files, root).numpy().tobytes(), digest_size=16).hexdigest()


@dataclass(frozen=True)
class Cost:
    """What a network takes to segment a picture of val.

    Attributes:
        engine: what ran it.
        seconds: of one picture in memory to its mask, the median over the rounds.
        joules: of all the processor's packages meanwhile, the median; None where the system does not tell.
        peak_rss: the most memory that its process held, in bytes; None where the system does not tell.
    """

    engine: str
    seconds: float
    joules: float | None
    peak_rss: int | None


class Timed:
    """A network and a picture; made in a process of its own."""

    def __init__(self, weights: Path, pair: Pair, device: DeviceName) -> None:
        try:
            self.segmenter = load(weights, device)
        except SegNextError:
            raise
        except Exception:  # an engine that cannot compile this network
            self.segmenter = load(weights, device, engine="torch")
        self.image = self.segmenter.read(source_of(pair))

    def engine(self) -> str:
        """Its name."""
        engine = self.segmenter.engine
        return f"{engine.name} {engine.precision}"

    def round(self) -> dict[str, float]:
        """Segment the picture once; seconds, and joules where they can be read."""
        before, start = read_joules(), perf_counter()
        _ = self.segmenter.segment(self.image).mask
        found = {"seconds": perf_counter() - start}
        joules = joules_between(before, read_joules())
        return found if joules is None else found | {"joules": joules}


def costs(
    weights: Mapping[str, Path], pair: Pair, device: DeviceName, rounds: int, progress: Progress
) -> dict[str, Cost]:
    """What each network takes for a picture, all taking turns round by round; one that cannot be run is left out."""
    with ExitStack() as stack:
        workers = []
        for number, (name, file) in enumerate(weights.items()):
            progress("preparing", number, len(weights))
            try:
                worker = stack.enter_context(Worker(name, partial(Timed, file, pair, device)))
                worker.call("round")
            except SegNextError as error:
                say(f"its costs are left out: {error}")
            else:
                workers.append(worker)
        progress("preparing", len(weights), len(weights))
        times = take_turns(workers, rounds, progress)
        return {
            worker.name: Cost(worker.call("engine"), *_medians(found), worker.peak_rss())
            for worker, found in zip(workers, times, strict=True)
        }


def _medians(rounds: Sequence[Mapping[str, float]]) -> tuple[float, float | None]:
    joules = [found["joules"] for found in rounds if "joules" in found]
    return median(found["seconds"] for found in rounds), median(joules) if joules else None


def training_peak(runs: Sequence[Path]) -> int | None:
    """The most memory that a process held while it trained, in bytes."""
    found: list[Any] = [json.loads((run / PEAK).read_text()) for run in runs if (run / PEAK).exists()]
    return max((int(peak) for peak in found if peak is not None), default=None)
