"""Everything that determines a pre-training run. Plain data; a recipe file holds all of it."""

import math
from dataclasses import dataclass, field

from segnext.errors import require_setting
from segnext.training.config import Optimizer, Settings


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


@dataclass(frozen=True)
class PretrainConfig(Settings):
    """One pre-training run; the defaults are those of the published encoders, which have a total_batch of 1024.

    Attributes:
        data: folder with train/CLASS/** and val/CLASS/**, any image format, or Tiny-ImageNet as it is published.
        out: folder that the run writes; `segnext train --encoder_weights` takes it.
        model: whose encoder is trained: segnext_t, segnext_s, segnext_b or segnext_l, another that `segnext info`
            names, or ENCODER+DECODER.
        batch_size: pictures in one forward pass; mixup and cutmix mix within it.
        optimizer: optimiser; head_lr_factor is the classifier's.
        drop_path: drop path probability; null takes the published encoder's, for SegNeXt 0.1, and 0.2 for segnext_l.
        epochs: passes over the training pictures; the last may be a part of one.
        size: height and width of the network's input, in pixels.
        eval_crop: of the square that val pictures are cut to, its side relative to the picture's short side.
        augment: augmentation.
        smoothing: probability that label smoothing spreads over all classes.
        schedule: learning rate over time.
        eval_every: passes over the data between measurements on val.
    """

    batch_size: int = 128
    accumulate: int = 8
    optimizer: Optimizer = field(default_factory=lambda: Optimizer(lr=1e-3, weight_decay=0.05, clip_norm=None))
    ema: float = 0.9998
    sync_bn: bool = False
    workers: int = 2
    epochs: float = 300
    size: int = 224
    eval_crop: float = 0.9
    augment: PictureAugment = field(default_factory=PictureAugment)
    smoothing: float = 0.1
    schedule: CosineSchedule = field(default_factory=CosineSchedule)
    eval_every: int = 1

    def __post_init__(self) -> None:
        """Refuse settings that cannot be trained with."""
        super().__post_init__()
        require_setting(0.0 < self.epochs < math.inf, "epochs", self.epochs, "above 0")
        require_setting(self.eval_every >= 1, "eval_every", self.eval_every, "at least 1")
        require_setting(self.size >= 32, "size", self.size, "at least 32, one position of the last stage")
        require_setting(0.0 < self.eval_crop <= 1.0, "eval_crop", self.eval_crop, "above 0 and at most 1")
        require_setting(0.0 <= self.smoothing < 1.0, "smoothing", self.smoothing, "at least 0 and below 1")
