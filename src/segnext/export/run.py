"""Weights to a file of another runtime, which is kept only if it agrees with ours."""

import dataclasses
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segnext import plain
from segnext.checkpoint.weights import Weights
from segnext.choices import require_choice
from segnext.data.folder import Pair
from segnext.errors import SegNextError
from segnext.export.deployed import Deployed, Interface, metadata
from segnext.export.formats import KINDS
from segnext.export.gate import SIZES, Accuracy, Row, compare, measure, photograph
from segnext.export.stac import item
from segnext.inference.runtime import Runtime
from segnext.inference.segmenter import Segmenter


@dataclass(frozen=True)
class Report:
    """How an exported file compares with ours."""

    about: dict[str, Any]
    rows: list[Row]
    accuracy: list[Accuracy]

    @property
    def passed(self) -> bool:
        """Whether every comparison was good enough."""
        return all(row.passed for row in self.rows) and all(one.passed for one in self.accuracy)

    def to_dict(self) -> dict[str, Any]:
        """For programs."""
        return {"passed": self.passed, **dataclasses.asdict(self)}


def export(
    weights: Weights,
    to: str,
    out: Path,
    *,
    precision: str = "fp32",
    interface: Interface | None = None,
    pairs: list[Pair] | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> Report:
    """Write `out`, run it in its own runtime, compare it with ours on real pictures, and keep it only if it agrees.

    Beside it go `OUT.report.json`, with all comparisons, and `OUT.stac.json`, a STAC item. Of a file that is refused
    nothing is kept but that report.

    Args:
        weights: the network, its labels and preprocessing.
        to: "onnx", "openvino" or "torch".
        out: the file, .onnx, .xml (with a .bin beside it) or .pt2.
        precision: "fp32" or "fp16"; norms and the matrix decomposition are computed in fp32 in both.
        interface: what goes in and comes out; the default takes uint8 pictures and gives labels.
        pairs: pictures with labels to compare on too, by mIoU; their pictures then also serve for the labels.
        say: is told what goes on.

    Returns:
        The comparisons, passed or not.

    Raises:
        SegNextError: when the format is unknown or not installed, or the file cannot be written.
    """
    require_choice("the format", to, KINDS)
    kind = KINDS[to]
    kind.require(to, precision)
    if out.suffix != kind.suffix:
        raise SegNextError(f"{out}: a file for {to} ends in {kind.suffix}; rename it")
    interface = interface or Interface()
    preprocess = dataclasses.replace(weights.preprocess, short_side=None, long_side=None)  # the graph takes any
    native = dataclasses.replace(weights, preprocess=preprocess)
    segmenter = Segmenter(native, Runtime("torch", "cpu", "fp32"))
    about = metadata(weights, interface, precision)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".segnext-export-", dir=out.parent) as folder:
            made = Path(folder) / out.name
            say(f"writing {to} in {precision}")
            kind.write(Deployed(native, interface), made, precision, about)
            report = _judge(segmenter, kind.providers(made), interface, precision, about, pairs or [], say)
            plain.write_json(report.to_dict(), out.with_name(f"{out.name}.report.json"))
            if report.passed:
                for file in sorted(Path(folder).iterdir(), key=lambda file: file == made):  # the file itself last
                    shutil.move(file, out.parent / file.name)
                plain.write_json(item(weights, to, out, about, interface), out.with_name(f"{out.name}.stac.json"))
    except OSError as error:
        raise SegNextError(f"{out}: cannot be written ({error.strerror or error}); choose another --out") from error
    return report


def _judge(
    segmenter: Segmenter,
    providers: Any,
    interface: Interface,
    precision: str,
    about: dict[str, Any],
    pairs: list[Pair],
    say: Callable[[str], None],
) -> Report:
    pictures = _pictures(segmenter, pairs)
    rows: list[Row] = []
    accuracy = []
    for provider, run in providers:
        say(f"comparing with {provider}")
        rows += compare(segmenter, provider, run, interface, pictures, precision)
        if pairs and not segmenter.labels.multi_label:
            accuracy.append(measure(segmenter, provider, run, interface, pairs))
    return Report(about, rows, accuracy)


def _pictures(segmenter: Segmenter, pairs: list[Pair]) -> list[NDArray[Any]]:
    """What crops are taken from: the labelled pictures, else a photograph; enlarged where they are too small.

    Weights of named bands see the photograph's channels, stretched to the mean and spread of each band.
    """
    preprocess = segmenter.preprocess
    if pairs:
        found: list[NDArray[Any]] = [np.asarray(segmenter.read(pair.image)) for pair in pairs[:21]]
    elif preprocess.bands is None:
        found = [photograph()]
    else:
        grey = photograph().astype(np.float32)
        standard = (grey - grey.mean((0, 1))) / grey.std((0, 1))
        channels = [standard[..., band % 3] for band in range(len(preprocess.mean))]
        stretched = np.stack(channels, axis=2) * np.array(preprocess.std) + np.array(preprocess.mean)
        found = [stretched.astype(np.float32)]
    return [_large_enough(picture) for picture in found]


def _large_enough(picture: NDArray[Any]) -> NDArray[Any]:
    """The picture, repeated mirrored where it is smaller than a crop."""
    wanted = [max(size[axis] for size in SIZES) for axis in (0, 1)]
    missing = [(0, max(side - have, 0)) for side, have in zip(wanted, picture.shape, strict=False)]
    return np.pad(picture, (*missing, (0, 0)), mode="symmetric") if any(more for _, more in missing) else picture
