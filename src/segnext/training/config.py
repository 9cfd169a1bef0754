"""Everything that determines a training run. Plain data; a recipe file holds all of it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, get_type_hints

from segnext.choices import meant, require_choices
from segnext.data.formats.public import Format
from segnext.data.sampling import Sampling
from segnext.data.transforms import Augment
from segnext.errors import SegNextError, require_setting
from segnext.inference.testing import Testing
from segnext.model.config import Architecture
from segnext.plain import with_tuples
from segnext.training.auxiliary import Auxiliary
from segnext.training.losses.config import Loss

Precision = Literal["auto", "fp32", "bf16", "fp16"]
Device = Literal["auto", "cpu", "cuda"]
Decay = Literal["weights", "released"]


@dataclass(frozen=True)
class Optimizer:
    """AdamW.

    Attributes:
        lr: peak learning rate. The default is for random weights; the paper's 6e-5 is for a pre-trained encoder.
        betas: decay rates of the moments.
        weight_decay: decoupled weight decay.
        decay: what it is for: the weights of convolutions and linear layers; or released, which is what the released
            code does: everything but those norms of the encoder that have "norm" in their names, and so biases,
            layer scales, the stem's BatchNorm and the head's GroupNorm too.
        head_lr_factor: learning rate of the decoder, relative to lr; 10 in the paper.
        layer_decay: learning rate of each encoder block, relative to the block after it; the last block's relative to
            lr. Below 1 the first layers of a pre-trained encoder change less.
        clip_norm: largest gradient norm; null for no clipping, as in the paper.
    """

    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.01
    decay: Decay = "weights"
    head_lr_factor: float = 1.0
    layer_decay: float = 1.0
    clip_norm: float | None = 5.0

    def __post_init__(self) -> None:
        """Refuse what is no rate."""
        require_choices(self, "optimizer.")
        for name in ("lr", "weight_decay", "head_lr_factor"):
            value = getattr(self, name)
            require_setting(0.0 <= value < math.inf, f"optimizer.{name}", value, "a number from 0 on")
        for beta in self.betas:
            require_setting(0.0 <= beta < 1.0, "optimizer.betas", self.betas, "two numbers from 0 on and below 1")
        decay, norm = self.layer_decay, self.clip_norm
        require_setting(0.0 < decay <= 1.0, "optimizer.layer_decay", decay, "above 0 and at most 1")
        require_setting(norm is None or norm > 0.0, "optimizer.clip_norm", norm, "above 0, or null")


@dataclass(frozen=True)
class Schedule:
    """Linear warm-up, then polynomial decay to zero.

    Attributes:
        warmup: steps of warm-up, at most a tenth of the run; 1500 in the paper.
        warmup_start: learning rate at step 0, relative to the peak; 1e-6 in the paper.
        power: exponent of the decay.
    """

    warmup: int = 250
    warmup_start: float = 1e-3
    power: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what is no schedule."""
        for name in ("warmup", "warmup_start", "power"):
            value = getattr(self, name)
            require_setting(0.0 <= value < math.inf, f"schedule.{name}", value, "a number from 0 on")


def _fit(settings: Any) -> None:
    """Make a dataclass's parts of the mappings that Python code may give for them, and tuples of lists.

    Raises:
        SegNextError: for a field that there is not, or a number that is none.
    """
    kinds = get_type_hints(type(settings))
    for one in fields(settings):
        value, name = getattr(settings, one.name), one.name
        if isinstance(value, Mapping) and isinstance(one.default_factory, type):
            value = _part(one.default_factory, value, name)
        elif isinstance(value, list):
            value = tuple(value)
        elif kinds[one.name] in (int, float) and not _is_number(value, kinds[one.name]):
            wanted = "a whole number" if kinds[one.name] is int else "a number"
            raise SegNextError(f"{name} is {value!r}; it must be {wanted}")
        object.__setattr__(settings, name, value)


def _part(kind: type[Any], given: Mapping[str, Any], name: str) -> Any:
    known = {one.name for one in fields(kind)}
    for key in given:
        if key not in known:
            raise SegNextError(f"there is no setting {name}.{key}; {meant(str(key), known, name + '.{}')}")
    try:
        return kind(**with_tuples(given))
    except TypeError as error:
        raise SegNextError(f"{name} is {dict(given)}; one of its values is of a wrong type ({error})") from error


def _is_number(value: object, kind: type) -> bool:
    return not isinstance(value, bool) and isinstance(value, int if kind is int else int | float)


@dataclass(frozen=True)
class Settings:
    """What the settings of every kind of run have; parts, such as `optimizer`, may be given as mappings.

    Attributes:
        data: folder of what is trained on.
        out: folder that the run writes.
        model: segnext_t, segnext_s, segnext_b or segnext_l, another that `segnext info` names, ENCODER+DECODER, or
            module:function of yours.
        batch_size: pictures in one forward pass.
        accumulate: forward passes in one optimiser step.
        total_batch: pictures in one optimiser step, devices x batch_size x accumulate; a run in which they give
            another number is refused; null for whatever they give.
        optimizer: optimiser.
        drop_path: drop path probability; null takes the model's own.
        ema: decay of the averaged weights, which are what is measured and saved; 0 for no averaging.
        precision: number format of the forward pass; auto takes bf16 where the processor has it.
        device: where to train.
        sync_bn: whether BatchNorm takes its statistics over all processes, where there is more than one.
        fit_memory: whether a run that does not fit in memory goes on with fewer pictures in a pass and as many in a
            step.
        reproducible: whether to refuse operations that give other bits at every run; matters on CUDA devices, where
            it costs speed.
        seed: seed of everything random.
        save_every: steps between resumable checkpoints.
        log_every: steps between lines of the log.
        workers: threads that prepare data, in each process.
        track: services that get the numbers and pictures of the log too, wandb and mlflow.
    """

    data: str
    out: str
    model: str = "segnext_t"
    batch_size: int = 8
    accumulate: int = 1
    total_batch: int | None = None
    optimizer: Optimizer = field(default_factory=Optimizer)
    drop_path: float | None = None
    ema: float = 0.999
    precision: Precision = "auto"
    device: Device = "auto"
    sync_bn: bool = True
    fit_memory: bool = False
    reproducible: bool = False
    seed: int = 0
    save_every: int = 500
    log_every: int = 10
    workers: int = 1
    track: tuple[Literal["wandb", "mlflow"], ...] = ()

    def __post_init__(self) -> None:
        """Refuse settings that cannot be trained with."""
        _fit(self)
        require_choices(self)
        for name in ("batch_size", "accumulate", "save_every", "log_every", "workers"):
            require_setting(getattr(self, name) >= 1, name, getattr(self, name), "at least 1")
        total, drop = self.total_batch, self.drop_path
        require_setting(total is None or total >= 1, "total_batch", total, "at least 1, or null for what comes out")
        require_setting(drop is None or 0.0 <= drop < 1.0, "drop_path", drop, "at least 0 and below 1, or null")
        require_setting(0 <= self.seed < 2**63, "seed", self.seed, "from 0 to 2 ** 63 - 1")
        require_setting(0.0 <= self.ema < 1.0, "ema", self.ema, "at least 0 and below 1")


@dataclass(frozen=True)
class TrainConfig(Settings):
    """One training run.

    Attributes:
        data: data set folder with dataset.yaml, images/ and masks/, or one that format names.
        out: folder that the run writes; it is loadable by `segnext predict --weights`.
        more_data: further data sets, each with classes of its own; on the command line, --data again.
        label_map: file that says what the classes of each of several data sets stand for.
        data_weights: shares of the crops that the data sets have; null for every picture as often.
        format: public data set whose original layout `data` has, such as ade20k; null for a dataset.yaml.
        encoder_weights: what the encoder starts from: a packaged name (mscan_t.imagenet_small), a published one
            (mscan_t.imagenet, segnext_t.ade20k, ...), a weights file of ours or a run's folder, or an
            official .pth, whole or encoder only; null for random weights.
        from_weights: what the whole network starts from, to fine-tune it (--from for short): a name, weights file or
            run's folder. The classifier starts anew when the data has other classes. null for random weights.
        freeze: first stages of the encoder that are not trained, their BatchNorm statistics neither; 4 is all of it.
        train_split: split to train on.
        val_split: split to measure on; null to measure nowhere.
        fold: K/N, as 1/5, for cross-validation: the labelled pictures of both splits are divided into N parts, of
            which the K-th is measured on and the others are trained on; all/N trains N times, with each part in turn,
            in out/fold-1, out/fold-2, ...; null for the splits as they are.
        iterations: optimiser steps.
        crop: height and width of the training crops, in pixels; null takes 512 x 512, and less where the
            pictures are smaller.
        bands: names of the bands to train on, of those in dataset.yaml; null takes all.
        short_side: length that pictures' short side is resized to, in training before the random
            scale, and later in prediction; null keeps the size.
        long_side: the same of the long side; beside short_side its most, in place of four times that.
        augment: augmentation.
        sampling: which pictures and places the crops come from.
        schedule: learning rate over time.
        architecture: what of the network is exchanged; the defaults are the published one.
        auxiliary: heads in training alone.
        loss: what is minimised.
        class_balance: classes weigh frequency ** -class_balance in the loss; 0 weighs them alike, as the paper does.
        eval_every: steps between measurements on val.
        patience: measurements on val in a row that are not the best so far, after which the run ends; null for never.
        check_data: whether to look for errors in the data before the first step, in seconds.
        testing: how val pictures are looked at.
    """

    more_data: tuple[str, ...] = ()
    label_map: str | None = None
    data_weights: tuple[float, ...] | None = None
    format: Format | None = None
    encoder_weights: str | None = None
    from_weights: str | None = None
    freeze: int = 0
    train_split: str = "train"
    val_split: str | None = "val"
    fold: str | None = None
    iterations: int = 10_000
    crop: tuple[int, int] | None = None
    bands: tuple[str, ...] | None = None
    short_side: int | None = None
    long_side: int | None = None
    augment: Augment = field(default_factory=Augment)
    sampling: Sampling = field(default_factory=Sampling)
    schedule: Schedule = field(default_factory=Schedule)
    architecture: Architecture = field(default_factory=Architecture)
    auxiliary: Auxiliary = field(default_factory=Auxiliary)
    loss: Loss = field(default_factory=Loss)
    class_balance: float = 0.0
    eval_every: int = 500
    patience: int | None = None
    check_data: bool = True
    testing: Testing = field(default_factory=Testing)

    def __post_init__(self) -> None:
        """Refuse settings that cannot be trained with."""
        if isinstance(self.crop, int):
            object.__setattr__(self, "crop", (self.crop, self.crop))
        super().__post_init__()
        for name in ("iterations", "eval_every"):
            require_setting(getattr(self, name) >= 1, name, getattr(self, name), "at least 1")
        for name in ("short_side", "long_side"):
            side = getattr(self, name)
            require_setting(side is None or side >= 32, name, side, "at least 32 pixels, or null")
        require_setting(0.0 <= self.class_balance <= 2.0, "class_balance", self.class_balance, "from 0 to 2")
        if bool(self.more_data) != (self.label_map is not None):
            raise SegNextError(
                "several data sets need a label_map, which says what the classes of each stand for; one needs none: "
                "--data A --data B --label-map FILE"
            )
        if self.data_weights is not None and (
            len(self.data_weights) != 1 + len(self.more_data) or not min(self.data_weights) > 0.0
        ):
            raise SegNextError(
                f"data_weights is {self.data_weights}; it takes a number above 0 for each data set, here "
                f"{1 + len(self.more_data)}"
            )
        if self.fold is not None and (self.val_split is None or self.more_data):
            raise SegNextError(f"fold is {self.fold}; it is for one data set, and needs a val_split to measure on")
        if self.bands is not None and not self.bands:
            raise SegNextError("bands is empty; name one band or more, or leave it out for all of them")
        if self.patience is not None and (self.patience < 1 or self.val_split is None):
            raise SegNextError(
                f"patience is {self.patience}; it must be at least 1, and needs a val_split to measure on"
            )
        if self.from_weights is not None and self.encoder_weights is not None:
            raise SegNextError("from_weights brings an encoder of its own; leave out encoder_weights")
        if not 0 <= self.freeze <= 4:
            raise SegNextError(f"freeze is {self.freeze}; it is a number of the encoder's stages, from 0 to 4")
        if self.freeze and self.from_weights is None and self.encoder_weights is None:
            raise SegNextError(
                f"freeze is {self.freeze}, but the encoder starts from random weights, which must be trained; give "
                "--from or --encoder_weights"
            )
        if not self.auxiliary.stages and self.auxiliary != Auxiliary():
            raise SegNextError("auxiliary has no stages, so its other settings have no effect; give auxiliary.stages")
        if any(stage <= self.freeze for stage in self.auxiliary.stages):
            raise SegNextError(
                f"auxiliary.stages is {self.auxiliary.stages}, but the first {self.freeze} stages are frozen, and "
                "heads on them teach nothing; leave those out"
            )
        if self.crop is not None and min(self.crop) < 32:
            raise SegNextError(f"crop is {self.crop}; both sides must be at least 32, one position of the last stage")
        if self.loss.class_weights is not None and self.class_balance:
            raise SegNextError("class_balance computes what loss.class_weights gives by hand; set one of them alone")
