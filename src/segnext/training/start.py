"""Before the first step: settings left to the machine are decided, and the network is placed there."""

from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import torch

from segnext.bfloat16 import has_bf16
from segnext.errors import SegNextError
from segnext.model.trainable import Trainable
from segnext.training.config import Device, Precision, Settings
from segnext.training.processes import Processes
from segnext.training.sync_norm import synchronise
from segnext.words import counted

C = TypeVar("C", bound=Settings)


def decide(config: C, processes: Processes, resume: bool) -> C:
    """`config` with device, precision, total batch and the data's whole path, so that the recipe says what was run.

    A run that is resumed by another number of processes keeps its total batch: batch_size and accumulate change.

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
        precision = "bf16" if has_bf16(device) else "fp32"
    if precision == "fp16" and device == "cpu":
        raise SegNextError("precision is fp16, which processors do not have; use --precision bf16 or fp32")
    config = _keep_total(config, processes) if resume else config
    require_total_batch(config, processes.count)
    total_batch = processes.count * config.batch_size * config.accumulate
    data = str(Path(config.data).resolve())  # so that the run can be resumed from any folder
    return replace(config, data=data, device=device, precision=precision, total_batch=total_batch)


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
    return replace(config, batch_size=size, accumulate=each // size)


def require_total_batch(config: Settings, devices: int) -> None:
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


def place(model: Trainable, config: Settings, processes: Processes) -> None:
    """Bring the network to the device, ready for its share of the batches, its generators seeded."""
    model.to(config.device)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if processes.count > 1:
        model.share_batches(processes.rank, processes.count)
        if config.sync_bn:
            synchronise(model, config.device)
    for generator in model.random_generators():
        generator.manual_seed(config.seed)


def about(
    config: Settings, data: str, pictures: tuple[int, int], classes: int, steps: int, size: tuple[int, int]
) -> str:
    """A run in a line.

    Args:
        config: with everything decided.
        data: name of the data set.
        pictures: to train on, and to measure on; of these 0 where nothing is measured.
        classes: how many are told apart.
        steps: of the whole run.
        size: height and width of what the network sees of a picture.
    """
    assert config.total_batch is not None
    train, val = pictures
    several = f"{train:,} train and {val:,} val pictures"
    shown = several if val else f"{counted(train, 'train picture')}, no validation and so no best weights or report"
    told = counted(classes, "class", "classes")
    length = f"{counted(steps, 'step')} of {counted(config.total_batch, 'crop')} of {size[0]} x {size[1]}"
    return (
        f"{data}: {shown}, {told}; {config.model} on {config.device} in {config.precision}; {length}; into {config.out}"
    )
