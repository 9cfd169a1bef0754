"""Official checkpoints in every layout that people have, and what is not one."""

import dataclasses
import os
import pickle
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor

from segnext.checkpoint.convert import convert_from_official, convert_to_official
from segnext.checkpoint.names import BASES, to_official
from segnext.checkpoint.official import from_official
from segnext.checkpoint.pickles import read_pickle
from segnext.checkpoint.provenance import Provenance
from segnext.checkpoint.weights import Weights, load_weights, save_weights
from segnext.data.known import known_labels, labels_for_count
from segnext.errors import SegNextError
from segnext.labels import Labels
from segnext.model.config import SEGNEXT, ModelConfig, preset
from segnext.model.families import build
from segnext.model.hamburger import fixed_bases
from segnext.model.unfilled import unfilled
from segnext.preprocess import Preprocess

State = dict[str, Tensor]

CONFIG = dataclasses.replace(SEGNEXT["segnext_t"], num_classes=19)
TINY = ModelConfig((8, 16, 24, 32), (1, 1, 1, 2), decoder_channels=64, rank=4, expansions=(2, 2, 3, 2), num_classes=5)


@pytest.fixture(scope="module")
def ours() -> State:
    torch.manual_seed(0)
    return dict(build(CONFIG).state_dict())


@pytest.fixture
def official(ours: State) -> State:
    return to_official(ours)


def require_equal(found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert found[name].dtype == tensor.dtype, name
        assert torch.equal(found[name], tensor), name


def test_there_and_back_is_the_identity(ours: State, official: State) -> None:
    assert all(name.startswith(("backbone.", "decode_head.")) for name in official)
    assert len(official) == len(ours) - 1  # the authors' layout has no bases
    config, state = from_official(official, "x.pth")
    assert config == CONFIG
    require_equal(state, ours)
    require_equal(to_official(state), official)


@pytest.mark.parametrize("name", ["segnext_s", "segnext_b", "segnext_l"])
def test_the_other_models_are_told_by_their_stages(name: str) -> None:
    with unfilled():
        state = build(preset(name, num_classes=19, in_channels=4)).state_dict()
    config, _ = from_official(to_official(state), "x.pth")
    assert config == preset(name, num_classes=19, in_channels=4)


def test_openmmlabs_layout(ours: State, official: State) -> None:
    renamed = {name.replace("mlp.dwconv.dwconv.", "mlp.dwconv."): tensor for name, tensor in official.items()}
    assert renamed.keys() != official.keys()
    require_equal(from_official(renamed, "x.pth")[1], ours)


def test_a_layout_with_bases(official: State) -> None:
    bases = torch.rand(1, 256, 24)
    config, state = from_official({**official, "decode_head.hamburger.ham.bases": bases}, "x.pth")
    assert config == dataclasses.replace(CONFIG, rank=24, align_corners=True)
    assert torch.equal(state[BASES], bases)


def test_half_precision_tensors_become_float32(ours: State, official: State) -> None:
    half = {name: x.half() if x.is_floating_point() else x for name, x in official.items()}
    _, state = from_official(half, "x.pth")
    assert {x.dtype for x in state.values()} == {torch.float32, torch.int64}
    name = "encoder.stages.0.embed.0.weight"
    assert torch.equal(state[name], ours[name].half().float())


def test_counts_of_batches_may_be_missing(ours: State, official: State) -> None:
    without = {name: tensor for name, tensor in official.items() if not name.endswith("num_batches_tracked")}
    assert len(without) < len(official)
    require_equal(from_official(without, "x.pth")[1], ours)


def test_the_input_is_left_as_it_is(official: State) -> None:
    before = dict(official)
    from_official(official, "x.pth")
    require_equal(official, before)


def test_the_rank_of_an_unknown_model_must_be_given() -> None:
    torch.manual_seed(0)
    state = dict(build(TINY).state_dict())
    with pytest.raises(SegNextError, match=r"its stages are those of no published model, .* give it with --rank"):
        from_official(to_official(state), "x.pth")
    config, converted = from_official(to_official(state), "x.pth", rank=4)
    assert config == TINY
    require_equal(converted, state)


def test_the_rank_given_comes_first(official: State) -> None:
    config, state = from_official(official, "x.pth", rank=8)
    assert config == dataclasses.replace(CONFIG, rank=8)
    assert torch.equal(state[BASES], fixed_bases(256, 8))


@pytest.mark.parametrize("rank", [0, -3])
def test_impossible_ranks_are_refused(official: State, rank: int) -> None:
    with pytest.raises(SegNextError, match=f"rank is {rank}; it must be at least 1"):
        from_official(official, "x.pth", rank=rank)


def encoder_with_prefix(state: State) -> State:
    return {name: tensor for name, tensor in state.items() if name.startswith("backbone.")}


def encoder_alone(state: State) -> State:
    return {name.removeprefix("backbone."): tensor for name, tensor in encoder_with_prefix(state).items()}


@pytest.mark.parametrize("part", [encoder_with_prefix, encoder_alone])
def test_an_encoder_alone_is_called_so(official: State, part: Callable[[State], State]) -> None:
    with pytest.raises(SegNextError, match=r"x\.pth: holds only the encoder of a SegNeXt \(.*; give the"):
        from_official(part(official), "x.pth")


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"layer1.weight": torch.zeros(3)},
        {f"backbone.norm{stage}.weight": torch.zeros(()) for stage in range(1, 5)},
    ],
)
def test_something_else_is_no_segnext(state: State) -> None:
    with pytest.raises(SegNextError, match=r"x\.pth: holds no SegNeXt"):
        from_official(state, "x.pth")


def test_missing_wrong_and_unexpected_tensors_are_counted_and_named(official: State) -> None:
    del official["backbone.block1.0.norm1.weight"]
    with pytest.raises(
        SegNextError, match=r"1 missing \(encoder stage 1; 'encoder\.stages\.0\.blocks\.0\.norm1\.weight'"
    ):
        from_official(official, "x.pth")
    official["decode_head.squeeze.gn.bias"] = torch.zeros(3)
    official["decode_head.new.weight"] = torch.zeros(3)
    with pytest.raises(
        SegNextError, match=r"1 missing .*, 1 of wrong shape \(decoder; .*, 1 unexpected .*'decoder\.new\.weight' first"
    ):
        from_official(official, "x.pth")


def test_a_head_that_cannot_be_built_is_refused(official: State) -> None:
    official["decode_head.conv_seg.weight"] = torch.zeros(19, 20, 1, 1)  # no 32 groups of 20 channels
    with pytest.raises(SegNextError, match=r"x\.pth: ") as raised:
        from_official(official, "x.pth")
    assert "\n" not in str(raised.value)


def test_state_dicts_are_found_bare_and_wrapped(official: State, tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    meta = {"CLASSES": ("a", "b"), "epoch": 3, "config": "model = dict()"}
    for content in (
        official,
        OrderedDict(official),
        {"state_dict": OrderedDict(official), "meta": meta, "optimizer": {"state": {}, "param_groups": []}},
    ):
        torch.save(content, path)
        require_equal(read_pickle(path)[0], official)
    torch.save({"state_dict": official}, path, _use_new_zipfile_serialization=False)
    require_equal(read_pickle(path)[0], official)


@pytest.mark.parametrize("content", [[1, 2], {"state_dict": 3}, {"a": 1}, torch.zeros(3), {1: torch.zeros(3)}])
def test_files_without_a_state_dict(content: object, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "x.pth")
    with pytest.raises(SegNextError, match=r"x\.pth: holds no state dict"):
        read_pickle(tmp_path / "x.pth")


class Payload:
    """Runs a command when it is unpickled."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (self.command,)


@pytest.mark.parametrize("kind", ["zip", "legacy", "pickle"])
def test_code_is_refused_and_not_executed(tmp_path: Path, kind: str) -> None:
    trace, path = tmp_path / "trace", tmp_path / "x.pth"
    content = {"state_dict": {"a": torch.zeros(1)}, "meta": Payload(f"touch {trace}")}
    if kind == "pickle":
        path.write_bytes(pickle.dumps(content["meta"]))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=kind == "zip")
    with pytest.raises(SegNextError, match=r"holds more than tensors .* not loaded, because .* run code") as raised:
        read_pickle(path)
    assert "\n" not in str(raised.value)
    assert not trace.exists()


def test_damaged_files(official: State, tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    torch.save(official, path)
    content = path.read_bytes()
    torch.save(dict(list(official.items())[:9]), path, _use_new_zipfile_serialization=False)
    legacy = path.read_bytes()
    cut = [data[: int(len(data) * share)] for data in (content, legacy) for share in (0.01, 0.5, 0.99)]
    for damaged in (b"", b"not a checkpoint", b"\x80", b"\0" * 1000, b"PK\x03\x04" + b"\0" * 50, *cut):
        path.write_bytes(damaged)
        with pytest.raises(SegNextError, match=r"x\.pth: ") as raised:
            read_pickle(path)
        assert "\n" not in str(raised.value)
    with pytest.raises(SegNextError, match=r"gone\.pth: no such file"):
        read_pickle(tmp_path / "gone.pth")


def test_converting_both_ways_keeps_the_outputs(official: State, tmp_path: Path) -> None:
    source, converted, back = (tmp_path / name for name in ("x.pth", "x.safetensors", "back.pth"))
    torch.save({"state_dict": official}, source)
    convert_from_official(source, converted)
    weights = load_weights(converted)
    assert weights.config == CONFIG
    assert weights.labels == known_labels("cityscapes")
    assert weights.preprocess == Preprocess()
    assert weights.provenance == Provenance(converted_from="x.pth")
    convert_to_official(converted, back)
    require_equal(read_pickle(back)[0], official)
    meta = torch.load(back, weights_only=True)["meta"]
    assert meta["CLASSES"] == weights.labels.classes
    assert meta["PALETTE"][0] == list(weights.labels.colors[0])

    image = torch.randn(1, 3, 33, 50)
    direct = build(CONFIG).eval()
    direct.load_state_dict(from_official(official, "")[1])
    with torch.inference_mode():
        assert torch.equal(weights.model()(image), direct(image))


def test_the_way_back_keeps_classes_and_preprocessing(tmp_path: Path) -> None:
    torch.manual_seed(0)
    labels = Labels("toy", tuple("abcde"), tuple((10 * n, 0, 0) for n in range(5)), 9)
    preprocess = Preprocess((1.0, 2.0, 3.0), (4.0, 5.0, 6.0), short_side=99)
    first, official, second = (tmp_path / name for name in ("a.safetensors", "b.pth", "c.safetensors"))
    config = dataclasses.replace(TINY, drop_path=0.25)  # which does not show in the tensors
    save_weights(
        Weights(config, labels, preprocess, build(config).state_dict(), Provenance(metrics={"miou": 0.5})), first
    )
    convert_to_official(first, official)
    convert_from_official(official, second)
    back = load_weights(second)
    assert (back.config, back.labels, back.preprocess) == (config, labels, preprocess)
    assert back.provenance == Provenance(metrics={"miou": 0.5}, converted_from="b.pth")
    require_equal(back.state, load_weights(first).state)


@pytest.mark.parametrize("newer", [False, True])
def test_class_names_beside_the_tensors(newer: bool, tmp_path: Path) -> None:
    torch.manual_seed(0)
    state = to_official(build(TINY).state_dict())
    source, target = tmp_path / "mine.pth", tmp_path / "x.safetensors"

    def converted(names: list[str]) -> Labels:
        palette = [[n, n, n] for n in range(len(names))]
        old = {"CLASSES": tuple(names), "PALETTE": palette}
        torch.save({"state_dict": state, "meta": {"dataset_meta": {"classes": names}} if newer else old}, source)
        convert_from_official(source, target, rank=4)
        return load_weights(target).labels

    named = converted(["sky", "road", "car", "tree", "man"])
    assert named.classes == ("sky", "road", "car", "tree", "man")
    assert named.name == "mine"
    assert (named.colors[4] == (4, 4, 4)) is not newer
    assert converted(["sky", "road"]).classes[0] == "class 0"  # of another number, so of something else
    assert converted(["Class 0", "class 1", "class 2", "class 3", "class_4"]).name == "unknown"


def test_class_counts_without_a_label_set(tmp_path: Path) -> None:
    torch.manual_seed(0)
    source, target = tmp_path / "x.pth", tmp_path / "x.safetensors"
    torch.save(to_official(build(TINY).state_dict()), source)
    convert_from_official(source, target, rank=4, half=True)
    labels = load_weights(target).labels
    assert labels.classes == ("class 0", "class 1", "class 2", "class 3", "class 4")
    assert len(set(labels.colors)) == 5
    with pytest.raises(SegNextError, match=r"x\.pth: has 5 classes, but label set 'camvid' 11; choose another"):
        convert_from_official(source, target, like="camvid", rank=4)


def test_more_classes_than_8_bits_tell_apart(tmp_path: Path) -> None:
    state = build(dataclasses.replace(TINY, num_classes=256)).state_dict()
    torch.save(to_official(state), tmp_path / "x.pth")
    with pytest.raises(SegNextError, match=r"x\.pth: has 256 classes; 8-bit masks tell at most 255 apart"):
        convert_from_official(tmp_path / "x.pth", tmp_path / "x.safetensors", rank=4)
    assert not (tmp_path / "x.safetensors").exists()


def test_a_trained_bases_buffer_survives_neither_way(tmp_path: Path) -> None:
    """The authors' layout has no place for the bases, so ours are the fixed ones again after both ways."""
    state = {**build(TINY).state_dict(), BASES: torch.rand(1, 64, 4)}
    labels = labels_for_count(5)
    save_weights(Weights(TINY, labels, Preprocess(), state), tmp_path / "x.safetensors")
    convert_to_official(tmp_path / "x.safetensors", tmp_path / "x.pth")
    _, back = from_official(read_pickle(tmp_path / "x.pth")[0], "x.pth", rank=4)
    assert torch.equal(back[BASES], fixed_bases(64, 4))


def test_other_networks_are_not_written_in_the_authors_layout(tmp_path: Path) -> None:
    config = dataclasses.replace(TINY, decoder="psp", strips=(7,))
    source = tmp_path / "psp.safetensors"
    labels = labels_for_count(5)
    save_weights(Weights(config, labels, Preprocess(), dict(build(config).state_dict())), source)
    with pytest.raises(SegNextError, match="in its decoder, strips it is not the published network"):
        convert_to_official(source, tmp_path / "out.pth")
    assert not (tmp_path / "out.pth").exists()
