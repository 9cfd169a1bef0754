"""Before the first step: settings left to the machine are decided, and the run's folder is made."""

import statistics
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import torch
import yaml

from segnext.checkpoint.encoder import start_encoder
from segnext.data.counts import ClassCounts, count_classes
from segnext.data.folder import Pair
from segnext.errors import SegNextError
from segnext.files import replacing
from segnext.inference.load import weights_path
from segnext.labels import Labels
from segnext.model.network import SegNeXt
from segnext.preprocess import Preprocess
from segnext.training.config import Device, Precision, TrainConfig

DEFAULT_CROP = 512
LOOKED_AT = 32  # masks, as large as their pictures, that decide the crop


def resolve(config: TrainConfig, pairs: Sequence[Pair], labels: Labels) -> tuple[TrainConfig, tuple[int, int]]:
    """`config` with device, precision and crop decided, so that the saved recipe says what was run; and the crop."""
    device: Device = config.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise SegNextError("device is cuda, but torch finds no CUDA device here; use --device cpu")
    precision: Precision = config.precision
    if precision == "auto":
        precision = "bf16" if _has_bf16(device) else "fp32"
    if precision == "fp16" and device == "cpu":
        raise SegNextError("precision is fp16, which processors do not have; use --precision bf16 or fp32")
    require_total_batch(config, devices=1)
    crop = config.crop or _crop(pairs, labels, Preprocess(short_side=config.short_side))
    data = str(Path(config.data).resolve())  # so that the run can be resumed from any folder
    return replace(config, data=data, device=device, precision=precision, crop=crop), crop


def require_total_batch(config: TrainConfig, devices: int) -> None:
    """Refuse a run whose devices x batch_size x accumulate is not the recipe's `total_batch`.

    Raises:
        SegNextError: naming what would give it: pictures at once, passes in a step, or devices.
    """
    total, batch, passes = config.total_batch, config.batch_size, config.accumulate
    if total is None or total == devices * batch * passes:
        return
    choices = []
    if total % devices == 0:
        each = total // devices
        most = max(size for size in range(1, min(batch, each) + 1) if each % size == 0)
        fewest = each // passes if each % passes == 0 else each
        for size in dict.fromkeys((most, fewest)):
            choices.append(f"--batch_size {size} --accumulate {each // size}")
    if total % (batch * passes) == 0:
        choices.append(f"{_devices(total // (batch * passes))} (torchrun --nproc_per_node)")
    choices.append(f"--total_batch {devices * batch * passes}, which is another recipe")
    raise SegNextError(
        f"total_batch is {total}, but {_devices(devices)} x batch_size {batch} x "
        f"accumulate {passes} is {devices * batch * passes}; use {', or '.join(choices)}"
    )


def _devices(count: int) -> str:
    return f"{count} device" if count == 1 else f"{count} devices"


def _crop(pairs: Sequence[Pair], labels: Labels, preprocess: Preprocess) -> tuple[int, int]:
    """512 x 512, or the pictures' median size where that is smaller, down to a multiple of the last stage's 32."""
    sizes = []
    for pair in pairs[:: max(1, len(pairs) // LOOKED_AT)]:
        sizes.append(preprocess.size(*pair.read_mask(labels).shape[-2:]))
    height, width = (int(statistics.median_low(side)) for side in zip(*sizes, strict=True))
    return tuple(max(32, min(DEFAULT_CROP, side) // 32 * 32) for side in (height, width))  # type: ignore[return-value]


def class_counts(config: TrainConfig, pairs: Sequence[Pair], labels: Labels) -> ClassCounts | None:
    """Pixels of each class in the training masks, which are all read, where the run needs to know."""
    if not config.class_balance and not config.sampling.class_share:
        return None
    return count_classes(pairs, labels, config.workers)


def _has_bf16(device: str) -> bool:
    """Whether bfloat16 is computed rather than emulated."""
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def load_encoder(model: SegNeXt, name: str) -> None:
    """Start the encoder of `model` from the weights `name`, and print what of the network they cover.

    Raises:
        SegNextError: when there are no such weights, or they are not the whole encoder of this model.
    """
    coverage, layout = start_encoder(model, weights_path(name))
    print(f"encoder from {name} ({layout}); the decoder and its classifier start from random weights")
    print(coverage, flush=True)


def start_folder(config: TrainConfig) -> None:
    """Create the run's folder with its complete recipe, config.yaml.

    Raises:
        SegNextError: when it holds a run already, or cannot be written.
    """
    out = Path(config.out)
    if (out / "config.yaml").exists():
        raise SegNextError(f"{out}: already holds a run; go on with it by --resume {out}, or choose another --out")
    try:
        out.mkdir(parents=True, exist_ok=True)
        with replacing(out / "config.yaml") as temporary:
            temporary.write_text(yaml.safe_dump(_plain(asdict(config)), sort_keys=False), encoding="utf-8")
    except OSError as error:
        raise SegNextError(f"{out}: cannot be written ({error.strerror}); choose another --out") from error


def _plain(value: object) -> object:
    """Tuples as lists, which YAML knows."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return list(value) if isinstance(value, tuple) else value
