"""Mistakes in a run's settings: one sentence each, without the parser's own words."""

from pathlib import Path

import pytest

from segnext.cli.runs import DEVICES
from segnext.cli.train import parse
from segnext.errors import SegNextError

RUN = ["--data", "d", "--out", "o"]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--crop", "x"], "crop takes two whole numbers, as '[256,256]' or null, not [x,x]"),
        (["--iterations", "ten"], "iterations takes a whole number, not ten"),
        (["--optimizer.betas", "[1]"], "optimizer.betas takes two numbers, as '[0.5,2.0]', not [1]"),
        (["--architecture.strips", "x"], "architecture.strips takes a list such as '[256,256]', not [x]"),
        (["--optimizer.clip_norm", "x"], "optimizer.clip_norm takes a number or null, not x"),
        (["--precision", "fp8"], "precision takes auto or fp32 or bf16 or fp16, not fp8"),
        (
            ["--loss.class_weights", "x"],
            "loss.class_weights takes a list such as '[0.5,2.0]' or a mapping such as '{name: 1.0}' or null, not [x]",
        ),
        (["--schedule", "x"], "schedule takes settings of its own: warmup, warmup_start, power"),
        (["--modl", "x"], "there is no --modl; did you mean --model?"),
        (["--lr", "x"], "there is no --lr; here it is --optimizer.lr"),
        (["--work-dir", "x"], "there is no --work-dir; here it is --out, the run's folder"),
        (["--amp"], "there is no --amp; here it is --precision"),
        (["--flip=0"], "there is no --flip; did you mean --augment.flip?"),
        (["--nothing-alike", "x"], "there is no --nothing-alike"),
        (["seed=3"], "'seed=3' is one value too many; flags begin with dashes; did you mean --seed?"),
        (["--precision", "bf17"], "precision takes auto or fp32 or bf16 or fp16, not bf17; did you mean bf16?"),
        (["--device", "1"], f"device takes auto or cpu or cuda, not 1{DEVICES}"),
        (["--seed"], "give --seed a value: a whole number"),
        (["--seed", "3", "4"], "seed takes a whole number, not 3 4"),
        (["--seed", "x" * 200], f"seed takes a whole number, not {'x' * 80}..."),
        (["--batch", "3"], "there is no --batch; here it is --batch-size"),
        (
            ["--iteration", "3"],
            "there is no --iteration; did you mean --iterations?",
        ),
    ],
)
def test_flags(flags: list[str], message: str) -> None:
    with pytest.raises(SegNextError) as error:
        parse([*RUN, *flags])
    assert str(error.value) == f"{message}; see 'segnext train --help'"


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ("iteration: 3", "there is no setting 'iteration'; did you mean iterations?"),
        ("optimizer: {lr: abc}", "optimizer.lr takes a number, not abc"),
    ],
)
def test_recipes(recipe: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_text(recipe)
    with pytest.raises(SegNextError) as error:
        parse(["--config", str(file), *RUN])
    assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ("- a", "a recipe is a list of settings"),
        ("data: [[l]]", r"data takes text, not \[\["),
        ("data: null", "data takes text, not null"),
        ('data: "a\\0b"', "data takes text, not a"),
        ("data: !!python/object/new:os.system [touch owned]", "not valid YAML"),
        ("loss: {class_path: os.system}", "there is no setting 'loss.class_path'"),
        ("optimizer: /etc/hostname", "optimizer takes settings of its own: lr, "),
        ("config: other.yaml", "there is no setting 'config'"),
        ("iterations: .inf", "iterations takes a whole number, not Infinity"),
        ("optimizer: {lr: .nan}", "optimizer.lr takes a number, not NaN"),
        ("a: &a [l,l,l,l,l,l,l,l,l,l]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]", "there is no setting 'a'"),
        ("crop: 64", r"crop takes two whole numbers, as '\[256,256\]' or null, not 64"),
    ],
)
def test_recipes_of_any_origin(recipe: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_text(recipe)
    with pytest.raises(SegNextError, match=message) as error:
        parse(["--config", str(file), *([] if "data" in recipe else ["--data", "d"]), "--out", "o"])
    assert len(str(error.value)) < 500


def test_flags_as_people_write_them() -> None:
    config, _ = parse([*RUN, "--crop", "64", "96", "--testing.scales", "0.5,1", "--reproducible", "--from", "w"])
    assert (config.crop, config.testing.scales, config.reproducible) == ((64, 96), (0.5, 1.0), True)
    assert config.from_weights == "w"
    config, _ = parse([*RUN, "--optimizer", "{lr: 1e-4}", "--bands", "red", "nir", "--seed", "1", "--seed=2"])
    assert (config.optimizer.lr, config.bands, config.seed) == (1e-4, ("red", "nir"), 2)


def test_help_shows_the_flags_that_people_use_first(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["--help"])
    text = capsys.readouterr().out
    first = text[text.index("used first:") : text.index("the run:")]
    assert first.count("\n  --") == 11
    assert "--batch-size N " in first
    for name in ("--augment.scale [X,X]", "--loss.label-smoothing X", "--precision auto|fp32|bf16|fp16"):
        assert text.count(name) == 1
    assert max(map(len, text.splitlines())) <= 120


def test_the_recipe_that_flags_make_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse([*RUN, "--crop", "64", "96", "--print-config"])
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(capsys.readouterr().out)
    assert parse(["--config", str(recipe)])[0].crop == (64, 96)


def test_missing_ones() -> None:
    with pytest.raises(SegNextError, match="give --data; see"):
        parse(["--out", "o"])
    with pytest.raises(SegNextError, match=r"nope\.yaml: no such file"):
        parse(["--config", "nope.yaml", *RUN])


def test_hyphens_are_underscores() -> None:
    config, _ = parse([*RUN, "--batch-size", "3", "--loss.label-smoothing=0.1", "--encoder-weights", "a-b.safetensors"])
    assert (config.batch_size, config.loss.label_smoothing, config.encoder_weights) == (3, 0.1, "a-b.safetensors")


def test_a_resumed_run_takes_no_other_flags() -> None:
    with pytest.raises(SegNextError, match=r"leave out --iterations 9, or begin a new run .* --from run --out ANOTHER"):
        parse(["--resume", "run", "--iterations", "9"])


@pytest.mark.parametrize("first", [False, True])
def test_flags_override_a_recipe_wherever_it_stands(first: bool, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("{data: theirs, out: theirs, iterations: 9, batch_size: 5}")
    flags, file = ["--data", "mine", "--iterations", "3"], ["--config", str(recipe)]
    config, _ = parse([*file, *flags] if first else [*flags, *file])
    assert (config.data, config.out, config.iterations, config.batch_size) == ("mine", "theirs", 3, 5)


def test_a_resumed_run_may_find_its_data_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("{data: gone, out: gone, iterations: 9}")
    config, resume = parse(["--resume", str(tmp_path), "--data", "there"])
    assert (resume, config.data, config.out, config.iterations) == (True, "there", str(tmp_path), 9)
    with pytest.raises(SegNextError, match=r"no other flags but --data; leave out --config recipe\.yaml"):
        parse(["--resume", str(tmp_path), "--config", "recipe.yaml"])
