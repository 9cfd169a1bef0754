"""The recipe files of the published runs against the paper's table."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from segnext.checkpoint.convert import TEST_LONG_SIDES, TEST_SHORT_SIDES
from segnext.cli.train import parse
from segnext.data.known import known_labels
from segnext.data.transforms import Augment
from segnext.training.optim import lr_factor

RECIPES = Path(__file__).parents[2] / "recipes"
SIZES = {"t": 0.1, "s": 0.1, "b": 0.1, "l": 0.3}  # drop path

# Crop, total batch, iterations, short and long side, classes, training split.
PAPER: dict[str, tuple[int, int, int, tuple[int | None, int | None], int, str]] = {
    "ade20k": (512, 16, 160_000, (512, None), 150, "train"),
    "cityscapes": (1024, 8, 160_000, (None, None), 19, "train"),
    "coco_stuff": (512, 16, 80_000, (512, None), 171, "train"),
    "voc": (512, 16, 80_000, (512, None), 21, "train_aug"),
    "pascal_context": (480, 16, 80_000, (None, 520), 59, "train"),
    "isaid": (896, 16, 160_000, (None, 896), 16, "train"),
}
RUNS = [(data, size) for data in PAPER for size in SIZES]


@pytest.fixture(scope="module")
def writer() -> ModuleType:
    spec = importlib.util.spec_from_file_location("recipes", RECIPES.parent / "benchmarks" / "recipes.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("data", "size"), RUNS)
def test_a_recipe_is_the_papers(data: str, size: str) -> None:
    crop, total_batch, iterations, sides, classes, split = PAPER[data]
    config, _ = parse(["--config", str(RECIPES / f"segnext_{size}.{data}.yaml")])
    assert config.format == data
    assert len(known_labels(data)) == classes
    assert (config.model, config.encoder_weights) == (f"segnext_{size}", f"mscan_{size}.imagenet")
    assert (config.crop, config.short_side, config.long_side) == ((crop, crop), *sides)
    assert (TEST_SHORT_SIDES.get(data), TEST_LONG_SIDES.get(data)) == sides  # of converted weights
    assert config.total_batch == config.batch_size * config.accumulate == total_batch
    assert config.iterations == iterations
    assert (config.train_split, config.val_split) == (split, "val")
    assert config.drop_path == SIZES[size]
    assert config.testing.slide == ((1024, 768) if data == "cityscapes" else None)
    assert config.testing.resize == ("multiple" if data in ("ade20k", "coco_stuff") else "pad")
    testing = config.testing
    assert (testing.scales, testing.flip, testing.short_side, testing.long_side) == ((1.0,), False, None, None)
    assert config.augment == Augment((0.5, 2.0), 0.75, 0.5, 32.0, (0.5, 1.5), (0.5, 1.5), 18)
    optimizer = config.optimizer
    assert (optimizer.lr, optimizer.betas, optimizer.weight_decay) == (6e-5, (0.9, 0.999), 0.01)
    assert (optimizer.decay, optimizer.head_lr_factor, optimizer.clip_norm) == ("released", 10.0, None)
    assert (config.schedule.warmup, config.schedule.warmup_start, config.schedule.power) == (1500, 1e-6, 1.0)
    assert (config.class_balance, config.ema) == (0.0, 0.0)


def test_the_warm_up_of_long_runs_is_not_shortened() -> None:
    config, _ = parse(["--config", str(RECIPES / "segnext_t.voc.yaml")])
    assert lr_factor(0, 80_000, config.schedule) == pytest.approx(1e-6)
    assert lr_factor(750, 80_000, config.schedule) == pytest.approx(0.5 * (1 - 750 / 80_000), rel=1e-5)
    assert lr_factor(1500, 80_000, config.schedule) == 1 - 1500 / 80_000


def test_the_files_are_as_their_script_writes_them(writer: ModuleType) -> None:
    written = dict(writer.files())
    for file, text in written.items():
        assert file.read_text(encoding="utf-8") == text, "run: python benchmarks/recipes.py"
    by_hand = (
        "segnext_t.camvid.yaml",
        "segnext_t.street.yaml",
        "segnext_t.street.2.yaml",
        "segnext_t.street.3.yaml",
        "segnext_t.street.4.yaml",
        "segnext_t.vessels.yaml",
        "segnext_t.vessels.2.yaml",
        "segnext_t.defects.yaml",
        "segnext_t.dubai.yaml",
        "label_maps/segnext_t.street.labels.yaml",
        "pretrain/mscan_t.imagenet_small.yaml",
        "compare.yaml",
        "encoder_decoder.yaml",
    )
    assert set(RECIPES.rglob("*.yaml")) == written.keys() | {RECIPES / name for name in by_hand}
    assert len(written) == 24 + 4
