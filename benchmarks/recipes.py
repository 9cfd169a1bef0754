"""Write the recipe files of the published runs: python benchmarks/recipes.py

The files are complete and are what is read; nothing reads this one. It is run when training has a new setting, whose
value it adds to all of them.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from segnext.data.formats.public import Format
from segnext.inference.testing import WHOLE, Testing
from segnext.plain import to_yaml
from segnext.pretraining.config import PretrainConfig
from segnext.training.config import Optimizer, Schedule, TrainConfig

STRETCHED = Testing(resize="multiple")  # as the released settings have it


@dataclass(frozen=True)
class Published:
    """A data set of the paper: settings of its runs, and mIoU of T, S, B and L in % (single / multi-scale)."""

    format: Format
    title: str
    crop: int
    total_batch: int
    iterations: int
    short_side: int | None
    scores: tuple[str, str, str, str]
    measured: str
    train_split: str = "train"
    testing: Testing = WHOLE
    long_side: int | None = None


DATA_SETS = (
    Published(
        "ade20k",
        "ADE20K",
        512,
        16,
        160_000,
        512,
        ("41.1 / 42.2", "44.3 / 45.8", "48.5 / 49.9", "51.0 / 52.1"),
        "on val, whole pictures with a short side of 512",
        testing=STRETCHED,
    ),
    Published(
        "cityscapes",
        "Cityscapes",
        1024,
        8,
        160_000,
        None,
        ("79.8 / 81.4", "81.3 / 82.7", "82.6 / 83.8", "83.2 / 83.9"),
        "on val, a window of 1024 x 1024 sliding by 768",
        testing=Testing(slide=(1024, 768)),
    ),
    Published(
        "coco_stuff",
        "COCO-Stuff 164k",
        512,
        16,
        80_000,
        512,
        ("38.7 / 39.1", "42.2 / 42.8", "45.8 / 46.3", "46.5 / 47.2"),
        "on val, whole pictures",
        testing=STRETCHED,
    ),
    Published(
        "voc",
        "Pascal VOC 2012",
        512,
        16,
        80_000,
        512,
        ("82.7", "85.3", "87.5", "90.6"),
        "on test, by the evaluation server, which alone has its masks",
        "train_aug",
    ),
    Published(
        "pascal_context",
        "Pascal Context",
        480,
        16,
        80_000,
        None,
        ("51.2 / 53.3", "54.2 / 56.1", "57.0 / 59.0", "58.7 / 60.3"),
        "on val, whole pictures with a long side of 520",
        long_side=520,
    ),
    Published(
        "isaid",
        "iSAID",
        896,
        16,
        160_000,
        None,
        ("68.3", "68.8", "69.9", "70.3"),
        "on val, tiles of 896 x 896",
        long_side=896,
    ),
)
SIZES = {"t": 0.1, "s": 0.1, "b": 0.1, "l": 0.3}  # drop path
ENCODERS = {"t": (4.2, 75.9), "s": (14.0, 81.2), "b": (26.8, 83.0), "l": (45.2, 83.9)}  # M parameters, top-1 in %
RECIPES = Path(__file__).parents[1] / "recipes"


def recipe(data: Published, size: str) -> TrainConfig:
    """The settings of one published run."""
    return TrainConfig(
        data=data.format,
        out=f"runs/segnext_{size}.{data.format}",
        format=data.format,
        model=f"segnext_{size}",
        encoder_weights=f"mscan_{size}.imagenet",
        train_split=data.train_split,
        iterations=data.iterations,
        batch_size=data.total_batch,
        total_batch=data.total_batch,
        crop=(data.crop, data.crop),
        short_side=data.short_side,
        long_side=data.long_side,
        optimizer=Optimizer(lr=6e-5, decay="released", head_lr_factor=10.0, clip_norm=None),
        schedule=Schedule(warmup=1500, warmup_start=1e-6),
        drop_path=SIZES[size],
        ema=0.0,
        precision="fp32",
        eval_every=8000,
        save_every=2000,
        log_every=50,
        workers=8,
        testing=data.testing,
    )


def text(data: Published, size: str) -> str:
    """The recipe's file, with its command and what is known of its result on top."""
    name = f"segnext_{size}.{data.format}"
    kinds = "single scale / multi-scale with flips" if "/" in data.scores[0] else "as the paper gives it"
    header = f"""\
# SegNeXt-{size.upper()} on {data.title}, with the settings of the paper (Guo et al., 2022, section 4 and appendix).
# segnext train --config recipes/{name}.yaml --data PATH --out runs/{name}
# Published: {data.scores["tsbl".index(size)]} % mIoU ({kinds}), {data.measured}.
# We have not run this recipe.
# A step has {data.total_batch} pictures; where they do not fit, lower batch_size and raise accumulate by one factor.
"""
    return header + to_yaml(asdict(recipe(data, size)), default_flow_style=None)


def pretraining_recipe(size: str) -> PretrainConfig:
    """The settings of one published encoder."""
    name = f"mscan_{size}.imagenet"
    drop_path = 0.2 if size == "l" else 0.1
    return PretrainConfig(
        "imagenet", f"runs/{name}", f"segnext_{size}", total_batch=1024, drop_path=drop_path, workers=8
    )


def pretraining_text(size: str) -> str:
    """The encoder's recipe file."""
    model, (parameters, top1) = f"SegNeXt-{size.upper()}", ENCODERS[size]
    header = f"""\
# The encoder of {model} ({parameters} M parameters with its classifier) on ImageNet-1K, as the paper trained it:
# DeiT's settings, from VAN's training script. Published: {top1} % top-1. Not run here: it takes 300 passes over 1.28
# million pictures on GPUs. On 8 of them: torchrun --nproc_per_node 8 -m segnext pretrain --config THIS --accumulate 1
"""
    return header + to_yaml(asdict(pretraining_recipe(size)), default_flow_style=None)


def files() -> Iterator[tuple[Path, str]]:
    """Every recipe's file and its text."""
    for data in DATA_SETS:
        for size in SIZES:
            yield RECIPES / f"segnext_{size}.{data.format}.yaml", text(data, size)
    for size in ENCODERS:
        yield RECIPES / "pretrain" / f"mscan_{size}.imagenet.yaml", pretraining_text(size)


if __name__ == "__main__":
    for file, content in files():
        file.write_text(content, encoding="utf-8")
