import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from PIL import Image

from segnext.data.curate import split
from segnext.data.curate.split import (
    Grouping,
    Plan,
    alone,
    apply_split,
    by_folder,
    by_prefix,
    by_regex,
    divide,
    plan_split,
)
from segnext.data.folder import Folder
from segnext.errors import SegNextError


def data_set(root: Path, names: Mapping[str, int]) -> Path:
    """Pictures of 4 x 4 pixels; each mask holds its one label."""
    (root).mkdir(parents=True, exist_ok=True)
    classes = "".join(f"  - {{name: c{label}, color: [{label}, 0, 0]}}\n" for label in range(3))
    (root / "dataset.yaml").write_text(f"classes:\n{classes}")
    for name, label in names.items():
        for kind, suffix in (("images", "jpg"), ("masks", "png")):
            path = root / kind / f"{name}.{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("L", (4, 4), label).save(path)
    return root


def plan(root: Path, grouping: Grouping = by_prefix, seed: int = 0, again: bool = False, **shares: float) -> Plan:
    return plan_split(root, shares, grouping, seed=seed, again=again, watch=ignore)


def ignore(_does: str, _done: int, _total: int) -> None:
    pass


def files(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*.*g"))


def test_groups_of_names() -> None:
    def groups(grouping: Grouping, *names: str) -> list[str]:
        return [grouping(PurePosixPath("train", name)) for name in names]

    assert groups(
        by_prefix, "bonn_000001_000019.png", "frame0012.jpg", "a/IMG-7.jpg", "s_x512_y0.png", "t_r1_c22.png"
    ) == [*("bonn_000001", "frame", "a/IMG", "s", "t")]
    assert groups(by_prefix, "a/0001.png", "b/0002.png", "harbour.png") == ["a", "b", "harbour"]
    assert groups(by_folder, "a/b/1.png", "2.png") == ["a/b", "."]
    assert groups(alone, "a/1.png", "a/2.png") == ["a/1.png", "a/2.png"]
    assert groups(by_regex(r"^(\w+?)_"), "bonn_1_2.png", "ulm_1.png") == ["bonn", "ulm"]
    with pytest.raises(SegNextError, match="does not match its name"):
        groups(by_regex(r"^(\d+)"), "bonn.png")
    with pytest.raises(SegNextError, match="has no group"):
        by_regex("bonn")
    with pytest.raises(SegNextError, match="not a regular expression"):
        by_regex("(")


def test_a_split_moves_whole_groups_with_their_masks(tmp_path: Path) -> None:
    names = {
        f"train/city{city}/seq{number:02}_{frame}": number % 3
        for city in "ab"
        for number in range(10)
        for frame in range(3)
    }
    root = data_set(tmp_path / "set", names)
    before = files(root)
    made = plan(root, val=0.2, test=0.1)
    assert {split: made.pictures(split) for split in ("train", "val", "test")} == {"train": 42, "val": 12, "test": 6}
    assert made.split_of == plan(root, val=0.2, test=0.1).split_of
    assert files(root) == before
    apply_split(made, ignore)
    folder = Folder.open(root)
    assert folder.splits() == ["test", "train", "val"]
    placed = {
        s: {by_prefix(PurePosixPath(p.image.relative_to(root / "images"))) for p in folder.pairs(s)}
        for s in folder.splits()
    }
    assert {s: len(groups) for s, groups in placed.items()} == {"train": 14, "val": 4, "test": 2}
    assert len(set.union(*placed.values())) == 20
    assert sorted(f.split("/", 2)[2] for f in files(root)) == sorted(f.split("/", 2)[2] for f in before)
    assert not (root / split.JOURNAL).exists()


def test_the_splits_get_alike_shares_of_every_class(tmp_path: Path) -> None:
    random = np.random.Generator(np.random.PCG64(0))
    amounts = np.hstack([np.full((60, 1), 5.0), random.gamma(0.3, 1.0, (60, 8))])  # few groups hold much of a class
    shares = np.array([0.7, 0.2, 0.1])
    places = divide(amounts, shares, seed=0)
    held = np.array([amounts[places == place].sum(0) for place in range(3)]) / amounts.sum(0)
    np.testing.assert_allclose(held, np.repeat(shares[:, None], 9, axis=1), atol=0.06)
    by_chance = random.choice(3, 60, p=shares)
    chance = np.array([amounts[by_chance == place].sum(0) for place in range(3)]) / amounts.sum(0)
    assert np.abs(held - shares[:, None]).mean() < 0.3 * np.abs(chance - shares[:, None]).mean()


def test_a_class_in_two_groups_is_in_train_and_val(tmp_path: Path) -> None:
    names = {
        f"train/{name}_{frame}": label
        for name, label in zip("abcdefgh", [0] * 6 + [1] * 2, strict=True)
        for frame in range(2)
    }
    made = plan(data_set(tmp_path, names), val=0.3)
    assert made.counts["val"][1] == made.counts["train"][1] == 32  # two pictures of 4 x 4


def test_every_split_gets_a_group_and_one_group_cannot_be_split(tmp_path: Path) -> None:
    root = data_set(tmp_path, {f"train/{name}_{frame}": 0 for name in "ab" for frame in range(5)})
    assert plan(root, val=0.01).pictures("val") == 5
    with pytest.raises(SegNextError, match="in 2 groups, too few for 3 splits; leave out --group and --group-by"):
        plan(root, val=0.2, test=0.2)
    with pytest.raises(SegNextError, match=r"in 1 group, too few for 2 splits; leave out --group-by .* or group by"):
        plan(root, by_folder, val=0.2)
    for shares in ({"val": 1.0}, {"val": 0.5, "test": 0.5}, {"val": 0.0}, {}):
        with pytest.raises(SegNextError, match="above 0 and together below 1"):
            plan_split(root, shares, alone, seed=0, again=False, watch=ignore)


def test_an_existing_split_is_divided_only_when_asked(tmp_path: Path) -> None:
    root = data_set(
        tmp_path, {f"{s}/{name}_{n}": 0 for s, name in (("train", "a"), ("train", "b"), ("val", "c")) for n in range(2)}
    )
    with pytest.raises(SegNextError, match="say --again"):
        plan(root, val=0.3)
    made = plan(root, val=0.3, again=True)
    assert made.pictures("train") == 4
    assert made.pictures("val") == 2


def test_a_picture_in_the_way_is_named(tmp_path: Path) -> None:
    root = data_set(tmp_path, {**{f"train/{name}_1": 0 for name in "abcd"}})
    for name in "abcd":
        (root / f"masks/val/{name}_1.png").parent.mkdir(parents=True, exist_ok=True)
        (root / f"masks/val/{name}_1.png").write_bytes(b"")
    with pytest.raises(SegNextError, match=r"_1\.png: is in the way of another picture"):
        plan(root, val=0.3)


@pytest.mark.parametrize("moved", range(9))
def test_an_interrupted_split_is_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moved: int) -> None:
    names = {f"train/{name}/{frame}": 0 for name in "abcde" for frame in range(2)}
    root, other = data_set(tmp_path / "a", names), data_set(tmp_path / "b", names)
    apply_split(plan(other, by_folder, val=0.4), ignore)
    made = plan(root, by_folder, val=0.4)
    assert len(made.moves()) == 8

    def stop(_does: str, done: int, _total: int) -> None:
        if done == moved:
            raise KeyboardInterrupt

    if moved:
        with pytest.raises(KeyboardInterrupt):
            apply_split(made, stop)
    else:
        (root / split.JOURNAL).write_text(json.dumps(made.moves()))
    assert split.finish_split(root, ignore) == 4
    assert files(root) == files(other)
    assert split.finish_split(root, ignore) is None


def test_files_gone_since_the_interruption_are_named(tmp_path: Path) -> None:
    root = data_set(tmp_path, {"train/a": 0})
    (root / split.JOURNAL).write_text(json.dumps([["images/train/b.jpg", "images/val/b.jpg"]]))
    with pytest.raises(SegNextError, match=r"b\.jpg, but it is in neither place"):
        split.finish_split(root, ignore)


def test_folders_of_masks_move_with_their_pictures(tmp_path: Path) -> None:
    data_set(tmp_path, {f"train/{index}": index % 2 for index in range(4)})
    with (tmp_path / "dataset.yaml").open("a") as file:
        file.write("multi_label: true\n")
    for index in range(4):
        mask = tmp_path / f"masks/train/{index}.png"
        mask.with_suffix("").mkdir()
        mask.rename(mask.with_suffix("") / f"c{index % 2}.png")
    apply_split(plan(tmp_path, alone, val=0.5), ignore)
    pairs = Folder.open(tmp_path).pairs("val")
    assert len(pairs) == 2
    assert all(list(pair.mask.iterdir()) for pair in pairs)
