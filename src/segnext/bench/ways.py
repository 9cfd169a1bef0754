"""Which ways from picture to mask there are on this machine."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from segnext.allocator import keep_pages
from segnext.bench.stages import Pipeline, Stages
from segnext.bench.task import Task
from segnext.checkpoint.weights import load_weights
from segnext.errors import SegNextError
from segnext.inference.engines import ENGINES, INSTALL, RUNS
from segnext.kernels.threads import cores
from segnext.model.config import ExportedConfig

OURS = "segnext"
PEERS = ("segformer_b0", "segformer_b1")


@dataclass(frozen=True)
class Way:
    """One way from picture to mask.

    Attributes:
        network: "segnext" or one of `PEERS`.
        engine: "plain" (as its authors release it) or one of the engines.
        precision: fp32 or bf16.
        own_labels: whether the labels are made as the network's authors do it rather than by our kernel.
    """

    network: str
    engine: str
    precision: str
    own_labels: bool = False

    @property
    def name(self) -> str:
        """For people."""
        peer = "" if self.network == OURS else f"{self.network.replace('segformer_b', 'SegFormer-B')} "
        engine = "plain" if self.engine == "plain" else f"{self.engine} {self.precision}"
        return f"{peer}{engine}{', our labels' if peer and not self.own_labels else ''}"


def ways(engines: Sequence[str] | None, peers: Sequence[str], exported: ExportedConfig | None = None) -> list[Way]:
    """The plain way, then ours, then the peers', in the precisions that the processor computes.

    An exported file has no plain way, and is run by the engine that it is for.

    Args:
        engines: of `inference.engines.ENGINES`; None for all that are installed.
        peers: of `PEERS`; left out where `transformers` is not installed.
        exported: of an exported file; None for weights.

    Raises:
        SegNextError: when an engine is not installed.
    """
    if exported is not None:
        engines = _only(exported, engines)
    for engine in engines or ():
        if not _installed(engine):
            raise SegNextError(f"engine {engine} is not installed; leave it out of --engines, or install it")
    chosen = [engine for engine in ENGINES if (_installed(engine) if engines is None else engine in engines)]
    found = [] if exported else [Way(OURS, "plain", "fp32", own_labels=True)]
    found += [Way(OURS, engine, precision) for engine in chosen for precision in precisions(engine)]
    for peer in peers if find_spec("transformers") else ():
        found.append(Way(peer, "plain", "fp32", own_labels=True))
        if "openvino" in chosen:
            best = precisions("openvino")[-1]
            found += [Way(peer, "openvino", best, own) for own in (True, False)]
    return found


def _only(config: ExportedConfig, engines: Sequence[str] | None) -> list[str]:
    """The engine that an exported file is for."""
    engine = RUNS[config.to]
    if set(engines or ()) - {engine}:
        raise SegNextError(f"{config.file}: is run by {engine}; leave --engines out")
    return [engine]


def precisions(engine: str) -> tuple[str, ...]:
    """The precisions that an engine computes on this processor, the quickest last."""
    if engine == "torch":
        from segnext.bfloat16 import has_bf16

        return ("fp32", "bf16") if has_bf16("cpu") else ("fp32",)
    if engine == "openvino":
        from segnext.inference.engines.openvino_engine import computes_bf16

        return ("fp32", "bf16") if computes_bf16() else ("fp32",)
    return ("fp32",)


def open_way(way: Way, task: Task) -> Stages:
    """The way, ready to run; called in its own process."""
    task.use_cache()
    _configure(way)
    file = load_weights(task.weights)
    return Stages(_pipeline(way, task, len(file.labels)), task.picture, file.labels, task.folder / way.name)


def _configure(way: Way) -> None:
    """What holds for a whole process."""
    if way.engine in ("plain", "torch") or way.own_labels:
        import torch

        torch.set_num_threads(cores())
    if way.engine == "torch":
        keep_pages()  # as `segnext predict` does


def _pipeline(way: Way, task: Task, classes: int) -> Pipeline:
    if way.network != OURS:
        from segnext.bench.peers import openvino_peer, plain_peer

        if way.engine == "plain":
            return plain_peer(way.network, classes)
        return openvino_peer(way.network, classes, way.precision, task.picture, task.folder, own=way.own_labels)
    if way.engine == "plain":
        from segnext.bench.plain import plain

        return plain(task.weights)
    from segnext.bench.ours import ours

    return ours(task.weights, way.engine, way.precision)


def _installed(engine: str) -> bool:
    return all(map(find_spec, INSTALL.get(engine, ())))
