"""Weights to a file of another runtime, which is kept only if it agrees with ours."""

import dataclasses
import shutil
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segnext import plain
from segnext.bench.ways import precisions
from segnext.checkpoint.exported import HEADER
from segnext.checkpoint.weights import Weights
from segnext.choices import require_choice
from segnext.data.folder import Pair
from segnext.errors import SegNextError
from segnext.export.deployed import Deployed, Interface, metadata
from segnext.export.formats import KINDS, Run
from segnext.export.gate import SIZES, Accuracy, Labelled, Row, compare, measure, photograph
from segnext.export.pace import Entrant, Pace, race
from segnext.export.quantise import MOST_PICTURES, left, quantise
from segnext.export.stac import item
from segnext.inference.runtime import Runtime
from segnext.inference.segmenter import Segmenter
from segnext.words import counted


@dataclass(frozen=True)
class Report:
    """How an exported file compares with ours."""

    about: dict[str, Any]
    rows: list[Row]
    accuracy: list[Accuracy]
    pace: list[Pace] = field(default_factory=list)  # of eight bits, last, and of what they have to beat
    left: tuple[int, int] | None = None  # of eight bits: how many layers are not, and how many there are

    @property
    def quickest(self) -> bool:
        """Whether eight bits are quicker than everything else, where they were measured."""
        return not self.pace or self.pace[-1].seconds < min(one.seconds for one in self.pace[:-1])

    @property
    def passed(self) -> bool:
        """Whether every comparison was good enough."""
        return all(row.passed for row in self.rows) and all(one.passed for one in self.accuracy) and self.quickest

    def to_dict(self) -> dict[str, Any]:
        """For programs."""
        said = dataclasses.asdict(self)
        said["about"].pop(HEADER, None)  # a page of the weights' own
        return {"passed": self.passed, **said}


def export(
    weights: Weights,
    to: str,
    out: Path,
    *,
    precision: str = "fp32",
    interface: Interface | None = None,
    pairs: list[Pair] | None = None,
    train: list[Pair] | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> Report:
    """Write `out`, run it in its own runtime, compare it with ours on real pictures, and keep it only if it agrees.

    Beside it go `OUT.report.json`, with all comparisons, and `OUT.stac.json`, a STAC item. Of a file that is refused
    nothing is kept but that report.

    Args:
        weights: the network, its labels and preprocessing.
        to: "onnx", "openvino" or "torch".
        out: the file, .onnx, .xml (with a .bin beside it) or .pt2.
        precision: "fp32" or "fp16", norms and the matrix decomposition being computed in fp32 in both; of packages of
            torch's also "bf16", of OpenVINO's files also "int8", which needs `pairs` and `train`.
        interface: what goes in and comes out; the default takes uint8 pictures and gives labels.
        pairs: pictures with labels to compare on too, by mIoU; their pictures then also serve for the labels.
        train: pictures that eight bits are calibrated with.
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
    labelled = Labelled(pairs or [], segmenter, weights.preprocess, interface)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".segnext-export-", dir=out.parent) as folder:
            made = Path(folder) / out.name
            graph = Deployed(native, interface)
            if precision == "int8":
                report = _in_eight_bits(graph, made, about, labelled, train or [], say)
            else:
                say(f"writing {to} in {precision}")
                kind.write(graph, made, precision, about)
                report = _judge(kind.providers(made), precision, about, labelled, say)
            plain.write_json(report.to_dict(), out.with_name(f"{out.name}.report.json"))
            if report.passed:
                for file in sorted(Path(folder).iterdir(), key=lambda file: file == made):  # the file itself last
                    shutil.move(file, out.parent / file.name)
                plain.write_json(item(weights, to, out, about, interface), out.with_name(f"{out.name}.stac.json"))
    except OSError as error:
        raise SegNextError(f"{out}: cannot be written ({error.strerror or error}); choose another --out") from error
    return report


def _judge(
    providers: Iterable[tuple[str, Run]],
    precision: str,
    about: dict[str, Any],
    labelled: Labelled,
    say: Callable[[str], None],
) -> Report:
    segmenter = labelled.segmenter
    pictures = _pictures(segmenter, labelled.pairs)
    rows: list[Row] = []
    accuracy = []
    for provider, run in providers:
        say(f"comparing with {provider}")
        rows += compare(segmenter, provider, run, labelled.interface, pictures, precision)
        if labelled.pairs and not segmenter.labels.multi_label:
            accuracy.append(measure(labelled, provider, run, precision))
    return Report(about, rows, accuracy)


def _in_eight_bits(
    graph: Deployed,
    made: Path,
    about: dict[str, Any],
    labelled: Labelled,
    train: Sequence[Pair],
    say: Callable[[str], None],
) -> Report:
    """Write the file in float32, quantise it into `made`, and let both run side by side."""
    if not labelled.pairs or labelled.segmenter.labels.multi_label:
        raise SegNextError(
            "int8 needs --data DIR with one label for each pixel: its train pictures to calibrate with, its val "
            "pictures to see what it costs"
        )
    kind = KINDS["openvino"]
    with tempfile.TemporaryDirectory(prefix="segnext-int8-") as folder:
        wide = Path(folder) / f"wide{kind.suffix}"
        kind.write(graph, wide, "fp32", {**about, "precision": "fp32"})
        say(f"calibrating with {counted(min(len(train), MOST_PICTURES), 'picture')}, this takes minutes")
        quantise(wide, made, train, labelled)
        report = _judge(kind.providers(made), "int8", about, labelled, say)
        say("comparing their speed")
        *_, quickest = precisions("openvino")
        entrants = {f"in {precision}": Entrant(wide, precision) for precision in precisions("openvino")}
        pace = race({**entrants, "in int8": Entrant(made, quickest)}, labelled.taken(labelled.pairs[0]))
    return dataclasses.replace(report, pace=pace, left=left(made))


def _pictures(segmenter: Segmenter, pairs: Sequence[Pair]) -> list[NDArray[Any]]:
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
