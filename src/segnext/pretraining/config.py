"""Everything that determines a pre-training run. Plain data; a recipe file holds all of it."""

from dataclasses import dataclass, field

from segnext.errors import require_setting
from segnext.training.config import Device, Optimizer, Precision


@dataclass(frozen=True)
class PictureAugment:
    """Augmentation of training pictures; the defaults are DeiT's, with which the published encoders were trained.

    Attributes:
        scale: smallest and largest share of the picture's area that a crop covers.
        ratio: smallest and largest width of a crop, relative to its height.
        flip: probability of mirroring.
        operations: operations that RandAugment draws for each picture; 0 for none.
        magnitude: mean strength of the operations, 0 to 10.
        magnitude_std: standard deviation of the strength.
        color_jitter: largest relative change of brightness, contrast and saturation. DeiT's settings name 0.4, but the
            code that runs them leaves it out beside RandAugment, so it is 0 here.
        erase: probability of overwriting a rectangle with noise.
        mixup: both parameters of the Beta distribution of mixup's weight; 0 for no mixup.
        cutmix: both parameters of the Beta distribution of cutmix's area; 0 for no cutmix. Of a batch either mixup
            or cutmix is done, each half of the time.
    """

    scale: tuple[float, float] = (0.08, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)
    flip: float = 0.5
    operations: int = 2
    magnitude: float = 9.0
    magnitude_std: float = 0.5
    color_jitter: float = 0.0
    erase: float = 0.25
    mixup: float = 0.8
    cutmix: float = 1.0


@dataclass(frozen=True)
class CosineSchedule:
    """Linear warm-up, then half a cosine down to the floor.

    Attributes:
        warmup_epochs: passes over the data in which the rate rises; at most a tenth of the run.
        warmup_start: learning rate at step 0, relative to the peak.
        floor: learning rate at the end, relative to the peak.
    """

    warmup_epochs: float = 5.0
    warmup_start: float = 1e-3
    floor: float = 1e-3


def _optimizer() -> Optimizer:
    return Optimizer(lr=1e-3, weight_decay=0.05, clip_norm=None)


@dataclass(frozen=True)
class PretrainConfig:
    """One pre-training run; the defaults are those of the published encoders.

    Attributes:
        data: folder with train/CLASS/** and val/CLASS/**, any image format, or Tiny-ImageNet as it is published.
        out: folder that the run writes; `segnext train --encoder_weights` takes it.
        model: segnext_t, segnext_s, segnext_b or segnext_l, whose encoder is trained.
        epochs: passes over the training pictures.
        batch_size: pictures in one forward pass; mixup and cutmix mix within it.
        accumulate: forward passes in one optimiser step.
        total_batch: pictures in one optimiser step, devices x batch_size x accumulate; a run in which they give
            another number is refused; null for whatever they give. The published encoders have 1024.
        size: height and width of the network's input, in pixels.
        eval_crop: of the square that val pictures are cut to, its side relative to the picture's short side.
        augment: augmentation.
        smoothing: probability that label smoothing spreads over all classes.
        optimizer: optimiser; head_lr_factor is the classifier's.
        schedule: learning rate over time.
        drop_path: drop path probability; null takes the published encoder's, 0.1, and 0.2 for segnext_l.
        ema: decay of the averaged weights, which are what is measured and saved; 0 for no averaging.
        precision: number format of the forward pass; auto takes bf16 where the processor has it.
        device: where to train.
        sync_bn: whether BatchNorm takes its statistics over all processes, where there is more than one.
        fit_memory: whether a run that does not fit in memory goes on with fewer pictures in a pass and as many in a
            step.
        reproducible: whether to refuse operations that give other bits at every run; matters on CUDA devices, where
            it costs speed.
        seed: seed of everything random.
        eval_every: passes over the data between measurements on val.
        save_every: steps between resumable checkpoints.
        log_every: steps between lines of the log.
        workers: threads that prepare data, in each process.
    """

    data: str
    out: str
    model: str = "segnext_t"
    epochs: int = 300
    batch_size: int = 128
    accumulate: int = 8
    total_batch: int | None = None
    size: int = 224
    eval_crop: float = 0.9
    augment: PictureAugment = field(default_factory=PictureAugment)
    smoothing: float = 0.1
    optimizer: Optimizer = field(default_factory=_optimizer)
    schedule: CosineSchedule = field(default_factory=CosineSchedule)
    drop_path: float | None = None
    ema: float = 0.9998
    precision: Precision = "auto"
    device: Device = "auto"
    sync_bn: bool = False
    fit_memory: bool = False
    reproducible: bool = False
    seed: int = 0
    eval_every: int = 1
    save_every: int = 500
    log_every: int = 10
    workers: int = 2

    def __post_init__(self) -> None:
        """Refuse settings that cannot be trained with."""
        for name in ("epochs", "batch_size", "accumulate", "eval_every", "save_every", "log_every", "workers"):
            require_setting(getattr(self, name) >= 1, name, getattr(self, name), "at least 1")
        total, crop, drop = self.total_batch, self.eval_crop, self.drop_path
        require_setting(total is None or total >= 1, "total_batch", total, "at least 1, or null for what comes out")
        require_setting(self.size >= 32, "size", self.size, "at least 32, one position of the last stage")
        require_setting(0.0 < crop <= 1.0, "eval_crop", crop, "above 0 and at most 1")
        require_setting(drop is None or 0.0 <= drop < 1.0, "drop_path", drop, "at least 0 and below 1, or null")
        require_setting(0 <= self.seed < 2**63, "seed", self.seed, "from 0 to 2 ** 63 - 1")
        for name in ("ema", "smoothing"):
            require_setting(0.0 <= getattr(self, name) < 1.0, name, getattr(self, name), "at least 0 and below 1")
