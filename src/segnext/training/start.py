"""Before the first step: settings left to the machine are decided, and the run's folder is made."""

import os
import statistics
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeVar

import torch

from segnext.checkpoint.checkpoint import Checkpoint, read_checkpoint
from segnext.checkpoint.find import weights_path
from segnext.checkpoint.start import bands_of, start_encoder, start_network
from segnext.data.folder import Pair
from segnext.errors import SegNextError
from segnext.files import replacing
from segnext.labels import Labels
from segnext.model.network import Network
from segnext.model.trainable import Trainable
from segnext.plain import to_yaml
from segnext.preprocess import Preprocess
from segnext.training.config import Device, Precision, RunConfig, TrainConfig
from segnext.training.processes import Processes
from segnext.training.sync_norm import synchronise
from segnext.words import counted

C = TypeVar("C", bound=RunConfig)

DEFAULT_CROP = 512
LOOKED_AT = 32  # masks, as large as their pictures, that decide the crop


def resolve(
    config: TrainConfig, pairs: Sequence[Pair], labels: Labels, processes: Processes, resume: bool
) -> tuple[TrainConfig, tuple[int, int]]:
    """`config` with device, precision, crop and total batch decided, so that the saved recipe says what was run.

    A run that is resumed by another number of processes keeps its total batch: batch_size and accumulate change.

    Returns:
        The settings, and the crop.
    """
    config = decide(config, processes, resume)
    crop = config.crop or _crop(pairs, labels, Preprocess(short_side=config.short_side))
    return replace(config, crop=crop), crop


def decide(config: C, processes: Processes, resume: bool) -> C:
    """`config` with device, precision, total batch and the data's whole path.

    Raises:
        SegNextError: when the device is absent or lacks the precision, or the total batch does not come out.
    """
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
    config = _keep_total(config, processes) if resume else config
    require_total_batch(config, processes.count)
    total_batch = processes.count * config.batch_size * config.accumulate
    data = str(Path(config.data).resolve())  # so that the run can be resumed from any folder
    decided = {"data": data, "device": device, "precision": precision, "total_batch": total_batch}
    return replace(config, **decided)  # type: ignore[type-var]


def _keep_total(config: C, processes: Processes) -> C:
    """Fewer or more pictures in a pass and passes in a step, so that processes x both is the total batch again."""
    total, count = config.total_batch, processes.count
    if total is None or total % count or total == count * config.batch_size * config.accumulate:
        return config
    each = total // count
    size = max(size for size in range(1, min(config.batch_size, each) + 1) if each % size == 0)
    if processes.main:
        print(
            f"{counted(count, 'device')} instead of those before: batch_size {size} and accumulate {each // size}",
            flush=True,
        )
    return replace(config, batch_size=size, accumulate=each // size)  # type: ignore[type-var]


def require_total_batch(config: RunConfig, devices: int) -> None:
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
        choices.append(f"{counted(total // (batch * passes), 'device')} (torchrun --nproc_per_node)")
    choices.append(f"--total_batch {devices * batch * passes}, which is another recipe")
    raise SegNextError(
        f"total_batch is {total}, but {counted(devices, 'device')} x batch_size {batch} x "
        f"accumulate {passes} is {devices * batch * passes}; use {', or '.join(choices)}"
    )


def _crop(pairs: Sequence[Pair], labels: Labels, preprocess: Preprocess) -> tuple[int, int]:
    """512 x 512, or the pictures' median size where that is smaller, down to a multiple of the last stage's 32."""
    sizes = []
    for pair in pairs[:: max(1, len(pairs) // LOOKED_AT)]:
        sizes.append(preprocess.size(*pair.read_mask(labels).shape[-2:]))
    height, width = (int(statistics.median_low(side)) for side in zip(*sizes, strict=True))
    return tuple(max(32, min(DEFAULT_CROP, side) // 32 * 32) for side in (height, width))  # type: ignore[return-value]


def _has_bf16(device: str) -> bool:
    """Whether bfloat16 is computed rather than emulated."""
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def start_weights(model: Network, config: TrainConfig, labels: Labels, *, loud: bool) -> dict[str, Any]:
    """Load what the recipe says that the network starts from, and print what of it the weights cover.

    Args:
        model: changed in place.
        config: the run.
        labels: of the data.
        loud: whether to print.

    Returns:
        Provenance for the weights of the run: what it started from, and the licence of that; empty for random weights.

    Raises:
        SegNextError: when there are no such weights, or they are not for this network.
    """
    name = config.from_weights or config.encoder_weights
    if name is None:
        return {}
    checkpoint = read_checkpoint(weights_path(name))
    if config.from_weights is None:
        coverage, part, new = start_encoder(model, checkpoint), "encoder", "the decoder and its classifier start"
    else:
        coverage, part, new = start_network(model, checkpoint, labels.classes), "network", ""
        if checkpoint.classes != labels.classes:
            new = f"{_other_classes(checkpoint, labels)}, so the classifier starts"
    if loud:
        said = f"{new} from random weights" if new else "all of it is taken"
        print(f"{part} from {name} ({checkpoint.layout}); {said}")
        before, now = bands_of(checkpoint.state), bands_of(model.state_dict())
        if before != now:
            print(f"its stem for {before} bands is spread over {now}")
        print(coverage, flush=True)
    return checkpoint.provenance.succession(Path(name).name, part).to_dict()


def _other_classes(checkpoint: Checkpoint, labels: Labels) -> str:
    if checkpoint.classes is None:
        return "its classes have no names"
    return f"it knows other classes ({len(checkpoint.classes)}, the data has {len(labels)})"


def place(model: Trainable, config: RunConfig, processes: Processes) -> None:
    """Bring the network to the device, ready for its share of the batches, its generators seeded."""
    model.to(config.device)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if processes.count > 1:
        model.share_batches(processes.rank, processes.count)
        if config.sync_bn:
            synchronise(model, config.device)
    for generator in model.random_generators():
        generator.manual_seed(config.seed)


def freeze(model: Network, stages: int) -> None:
    """Keep the first `stages` stages of the encoder as they are: parameters, BatchNorm statistics, no drop path."""
    for stage in model.encoder.stages[:stages]:
        stage.requires_grad_(False).eval()


def about(
    config: RunConfig, data: str, pictures: tuple[int, int], classes: int, steps: int, size: tuple[int, int]
) -> str:
    """A run in a line.

    Args:
        config: with everything decided.
        data: name of the data set.
        pictures: to train on, and to measure on.
        classes: how many are told apart.
        steps: of the whole run.
        size: height and width of what the network sees of a picture.
    """
    assert config.total_batch is not None
    train, val = pictures
    shown = f"{train:,} train and {val:,} val pictures, {counted(classes, 'class', 'classes')}"
    length = f"{counted(steps, 'step')} of {counted(config.total_batch, 'crop')} of {size[0]} x {size[1]}"
    return f"{data}: {shown}; {config.model} on {config.device} in {config.precision}; {length}; into {config.out}"


def require_new(out: Path) -> None:
    """Refuse a folder for a new run, before anything else is done.

    Raises:
        SegNextError: when it holds a run already, or cannot be written.
    """
    if (out / "config.yaml").exists():
        raise SegNextError(f"{out}: already holds a run; go on with it by --resume {out}, or choose another --out")
    there = next(folder for folder in (out, *out.absolute().parents) if folder.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise SegNextError(f"{out}: cannot be written, because {there} cannot; choose another --out")


def write_recipe(config: RunConfig) -> None:
    """Write config.yaml into the run's folder, which is made if need be.

    Raises:
        SegNextError: when it cannot be written.
    """
    out = Path(config.out)
    try:
        out.mkdir(parents=True, exist_ok=True)
        with replacing(out / "config.yaml") as temporary:
            temporary.write_text(to_yaml(asdict(config)), encoding="utf-8")  # type: ignore[call-overload]
    except OSError as error:
        raise SegNextError(f"{out}: cannot be written ({error.strerror}); choose another --out") from error
