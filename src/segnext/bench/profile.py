"""Where OpenVINO's time goes, by kind of operation."""

from collections import defaultdict

from segnext.bench.ours import network_input
from segnext.bench.task import Task
from segnext.checkpoint.weights import load_weights
from segnext.imageio import read_image

WARM_UP, RUNS = 3, 12
KINDS = {
    "GroupConvolution": "depthwise convolutions",
    "MatMul": "matrix products",
    "FullyConnected": "matrix products",
    "MVN": "norms",
    "RMS": "norms",
    "ReduceMean": "norms",
    "Interpolate": "resizes",
    "Reorder": "layouts and number formats",
    "Transpose": "layouts and number formats",
}
OTHER = "element by element"  # what OpenVINO did not compute together with the operation before it


class Profile:
    """The network of a task, compiled with clocks in it.

    Args:
        task: names weights and picture.
        precision: fp32 or bf16.
    """

    def __init__(self, task: Task, precision: str) -> None:
        from segnext.inference.engines.openvino_engine import compiled, in_openvino

        task.use_cache()
        weights = load_weights(task.weights)
        self.request = compiled(in_openvino(weights), precision, PERF_COUNT="YES").create_infer_request()
        self.x, _ = network_input(read_image(task.picture), weights.preprocess, weights.config.strides[-1])

    def kinds(self) -> dict[str, float]:
        """Seconds by kind of operation, the mean of some runs."""
        cold = self._total(WARM_UP, 0)
        warm = self._total(RUNS, WARM_UP)
        return {kind: (warm[kind] - cold[kind]) / RUNS for kind in warm}

    def _total(self, runs: int, before: int) -> dict[str, float]:
        """Seconds by kind since the start, after `runs` more; OpenVINO gives means over all runs so far."""
        for _ in range(runs):
            self.request.infer([self.x], share_inputs=True)
        total: dict[str, float] = defaultdict(float)
        for node in self.request.profiling_info:
            total[kind(node.node_type, node.exec_type)] += node.real_time.total_seconds() * (before + runs)
        return total


def kind(node: str, kernel: str) -> str:
    """The kind of an operation, from OpenVINO's names of it and of the kernel that computes it."""
    if node == "Convolution":
        return "1x1 convolutions" if "1x1" in kernel else "3x3 convolutions"
    return KINDS.get(node, OTHER)
