"""From the name of weights to a segmenter."""

from pathlib import Path
from typing import TYPE_CHECKING

from segnext.checkpoint.find import DEFAULT, weights_path
from segnext.inference.runtime import Device, EngineName, PrecisionName, Runtime, device_name
from segnext.inference.testing import WHOLE, Testing

if TYPE_CHECKING:
    from segnext.inference.segmenter import Segmenter


def load(
    name: str | Path = DEFAULT,
    device: Device = "auto",
    *,
    engine: EngineName = "auto",
    precision: PrecisionName = "auto",
    testing: Testing = WHOLE,
    threshold: float | None = None,
    streams: int = 1,
) -> "Segmenter":
    """A segmenter with the weights that `name` stands for; see `checkpoint.find`.

    Args:
        name: a packaged or published name, a .safetensors file, an exported .onnx or .xml file, a folder or OWNER/NAME
            of a Hugging Face repository.
        device: "auto" (a CUDA device if there is one, else the CPU), "cpu", "cuda", "cuda:1", or the `torch.device`.
        engine: "auto" (the quickest installed), "torch", "openvino" or "onnxruntime".
        precision: "auto" (bf16 where the processor computes it), "fp32" or "bf16".
        testing: windows, scales and flips; the default is one look at the whole picture.
        threshold: of multi-label weights, the probability above which a class is said to be there; None for 1/2.
        streams: pictures to work on at the same time; see `inference.runtime.Runtime`.

    Raises:
        SegNextError: when there are no such weights, they are damaged, or device or engine are absent.
    """
    from segnext.checkpoint.weights import load_weights
    from segnext.inference.segmenter import Segmenter

    runtime = Runtime(engine, device_name(device), precision, streams)
    return Segmenter(load_weights(weights_path(name)), runtime, testing=testing, threshold=threshold)
