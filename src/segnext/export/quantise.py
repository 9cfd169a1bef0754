"""Eight-bit networks by NNCF: calibrated on pictures, the layers that cannot bear it left as they are."""

import io
import logging
from collections.abc import Iterable, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from segnext.data.folder import Pair
from segnext.errors import SegNextError
from segnext.export.gate import DROP, Labelled
from segnext.inference.engines.convert import quiet

MOST_PICTURES = 128  # to calibrate with
LAYERS = ("Convolution", "GroupConvolution", "MatMul")  # the kinds that eight bits are for


def quantise(file: Path, out: Path, train: Sequence[Pair], val: Labelled) -> None:
    """Write the network of OpenVINO's in `file` to `out`, with as many layers in eight bits as the mIoU allows.

    Args:
        file: in float32, an .xml.
        out: another one.
        train: pictures to calibrate with; of more than MOST_PICTURES, evenly spread ones.
        val: pictures with labels, on which the mIoU is to drop by DROP points at most.

    Raises:
        SegNextError: when there are no pictures to calibrate with.
    """
    import segnext.inference.engines.openvino_engine  # noqa: F401  # no report of the import to OpenVINO's maker

    with quiet():
        import nncf
        import openvino

    if not train:
        raise SegNextError("int8 is calibrated with the train pictures of --data, and there are none")
    chosen = train[:: -(-len(train) // MOST_PICTURES)]

    def validate(network: Any, pairs: Iterable[Pair]) -> tuple[float, None]:
        return val.miou(lambda x: list(network([x]).values()), pairs) / 100, None

    nncf.set_log_level(logging.ERROR)
    with quiet(), redirect_stdout(io.StringIO()):  # its bars
        model = nncf.quantize_with_accuracy_control(
            openvino.Core().read_model(file),
            nncf.Dataset(chosen, val.taken),
            nncf.Dataset(val.pairs, val.taken),
            validate,
            max_drop=DROP / 100,
            subset_size=len(chosen),
            preset=nncf.QuantizationPreset.MIXED,
        )
    model.set_rt_info("int8", ["segnext", "precision"])
    openvino.save_model(model, out, compress_to_fp16=False)


def left(file: Path) -> tuple[int, int]:
    """How many layers of a file are not in eight bits, and how many it has."""
    import openvino

    layers = [node for node in openvino.Core().read_model(file).get_ops() if node.get_type_name() in LAYERS]
    return sum(not _is_quantised(node.input_value(0).get_node()) for node in layers), len(layers)


def _is_quantised(node: Any) -> bool:
    """Whether values come in steps, perhaps moved since."""
    while node.get_type_name() in ("Reshape", "Transpose", "Squeeze", "Unsqueeze"):
        node = node.input_value(0).get_node()
    return bool(node.get_type_name() == "FakeQuantize")
