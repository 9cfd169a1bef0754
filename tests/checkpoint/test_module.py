"""Networks in people's hands: by name, saved, copied, traced, exported."""

import copy
import pickle
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from torch import Tensor

import segnext
from segnext.checkpoint.find import DEFAULT, weights_path
from segnext.checkpoint.module import create_model, save_pretrained
from segnext.checkpoint.weights import Weights, load_weights
from segnext.errors import SegNextError
from segnext.labels import Labels
from segnext.model.config import ModelConfig, NetworkConfig, SegFormerConfig
from segnext.model.families import build
from segnext.model.network import Network
from segnext.model.unfilled import unfilled
from segnext.preprocess import Bands, Preprocess

NETWORKS: dict[str, NetworkConfig] = {
    "segnext": ModelConfig((8, 16, 24, 32), (1, 1, 1, 1), 32, rank=4, num_classes=3, expansions=(2, 2, 2, 2)),
    "segformer": SegFormerConfig((16, 32, 48, 64), (1, 1, 1, 1), (1, 2, 3, 4), 32, num_classes=3),
}


@pytest.fixture(params=NETWORKS)
def model(request: pytest.FixtureRequest) -> Network:
    """In evaluation mode, its weights still wanting gradients, channels last, as training has it."""
    torch.manual_seed(0)
    network = build(NETWORKS[request.param]).eval()
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def pictures(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def same(found: Callable[[Tensor], Tensor], model: Callable[[Tensor], Tensor], *shapes: tuple[int, ...]) -> None:
    for shape in shapes:
        x = pictures(*shape)
        torch.testing.assert_close(found(x), model(x), atol=1e-5, rtol=1e-4)


def test_tracing(model: Network) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the tracer's, about itself and about the module's own decisions
        traced: Any = torch.jit.trace(model, pictures(1, 3, 64, 96))  # type: ignore[no-untyped-call]
    same(traced, model, (1, 3, 64, 96), (2, 3, 96, 64))


def test_openvino_converts_the_module(model: Network) -> None:
    openvino = pytest.importorskip("openvino")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        converted = openvino.convert_model(model, example_input=pictures(1, 3, 64, 96))
    network = openvino.compile_model(converted, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    same(lambda x: torch.from_numpy(network([x.numpy()])[0]), model, (1, 3, 64, 96), (2, 3, 96, 64))


@pytest.mark.parametrize("model", ["segnext", pytest.param("segformer", marks=pytest.mark.long)], indirect=True)
def test_export_with_named_dimensions(model: Network) -> None:
    batch, rows, columns = (torch.export.Dim(name, min=2, max=64) for name in ("batch", "rows", "columns"))
    shapes = {"image": {0: batch, 2: 32 * rows, 3: 32 * columns}}
    exported = torch.export.export(model, (pictures(2, 3, 64, 96),), dynamic_shapes=shapes)
    same(exported.module(), model, (2, 3, 64, 96), (3, 3, 96, 64))


@pytest.mark.filterwarnings("ignore:There is a performance drop")  # of vmap, about attention
def test_vmap_and_functional_gradients(model: Network) -> None:
    same(torch.vmap(lambda x: model(x[None])[0]), model, (2, 3, 64, 64))
    parameters = {name: x.detach() for name, x in model.named_parameters()}

    def loss(weights: dict[str, Tensor]) -> Tensor:
        return torch.func.functional_call(model, weights, (pictures(1, 3, 32, 64),)).square().mean()  # type: ignore[no-any-return]

    gradients = torch.func.grad(loss)(parameters)
    assert all(gradients[name].isfinite().all() for name in parameters)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch, which prefers export
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_scripting(model: Network) -> None:
    found: Any = torch.jit.script(model)
    same(found, model, (1, 3, 64, 96), (2, 3, 70, 101))
    assert found.state_dict().keys() == model.state_dict().keys()
    nested: Any = torch.jit.script(torch.nn.Sequential(copy.deepcopy(model), torch.nn.Sigmoid()))
    same(nested, lambda x: model(x).sigmoid(), (1, 3, 64, 64))
    with pytest.raises(SegNextError, match=r"in evaluation mode alone; call model\.eval\(\) before"):
        torch.jit.script(model.train())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_a_network_whose_trace_holds_for_one_size_is_not_scripted() -> None:
    class Once(Network):
        def forward(self, image: Tensor) -> Tensor:
            return super().forward(image)[:, :, : int(image.shape[2])] * len(image)

    usual = build(NETWORKS["segnext"])
    network = Once(usual.encoder, usual.decoder, usual.config).eval()
    with pytest.raises(SegNextError, match="looks at the picture's size in ways that a trace does not hold"):
        torch.jit.script(network)


def test_symbolic_tracing() -> None:
    model = build(NETWORKS["segnext"]).eval()
    same(torch.fx.symbolic_trace(model), model, (1, 3, 64, 96), (3, 3, 70, 101))
    with pytest.raises(SegNextError, match=r"torch\.fx takes the network in evaluation mode alone"):
        torch.fx.symbolic_trace(model.train())
    with pytest.raises(SegNextError, match=r"looks at sizes in Python, .*; use torch\.export"):
        torch.fx.symbolic_trace(build(NETWORKS["segformer"]).eval())


@pytest.mark.long
@pytest.mark.parametrize("training", [False, True])
def test_compiling_the_whole_graph(training: bool) -> None:
    model = build(NETWORKS["segnext"]).train(training).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    compiled = torch.compile(model, fullgraph=True, dynamic=True, backend="eager")
    if not training:
        same(compiled, model, (1, 3, 64, 96), (2, 3, 96, 64))
        return
    compiled(pictures(2, 3, 64, 96)).square().mean().backward()  # type: ignore[no-untyped-call]
    assert all(x.grad is not None and x.grad.isfinite().all() for x in model.parameters())
    torch.jit.trace(model, pictures(2, 3, 64, 96), check_trace=False)  # type: ignore[no-untyped-call]


def test_copies(model: Network) -> None:
    for copied in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        same(copied, model, (1, 3, 33, 47))
        assert copied.config == model.config
    copy.deepcopy(model.train())


def test_by_the_name_of_a_model() -> None:
    with unfilled():
        assert create_model("segnext_t", 3).config == create_model("segnext_t", num_classes=3).config
        assert create_model("segnext_t", 3, 4).config.in_channels == 4
        assert create_model("segformer_b0", num_classes=19).config.num_classes == 19
        assert create_model("segnext_t", pretrained=False).config.num_classes == 150


def test_by_the_name_of_weights() -> None:
    trained = segnext.create_model(DEFAULT)
    state = segnext.load(DEFAULT, "cpu", engine="torch").model.state_dict()
    assert all(torch.equal(x, state[name]) for name, x in trained.state_dict().items())
    assert not trained.training
    other = create_model(DEFAULT, 5, in_channels=4)
    assert other.decoder.get_parameter("classifier.weight").shape[0] == 5
    kept = other.state_dict()["decoder.squeeze.conv.weight"]
    assert torch.equal(kept, state["decoder.squeeze.conv.weight"])
    with pytest.raises(SegNextError, match=f"the weights {DEFAULT} have their own decoder; leave it out, or name a mo"):
        create_model(DEFAULT, decoder="mlp")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"in_chans": 4}, "create_model takes no 'in_chans'; here it is called in_channels"),
        ({"classes": 4}, "create_model takes no 'classes'; here it is called num_classes"),
        (
            {"pretrained": True},
            f"by their name in place of the model's, such as segnext_t.camvid, {DEFAULT}, segnext_t.ade20k",
        ),
        ({"stripes": ()}, "segnext_t has no 'stripes' to change; did you mean strips?"),
    ],
)
def test_what_others_call_it_is_answered(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(SegNextError, match=said):
        create_model("segnext_t", **arguments)


def test_a_module_is_saved_and_loads(model: Network, tmp_path: Path) -> None:
    labels = Labels("toy", ("a", "b", "c"), ((0, 0, 0), (1, 1, 1), (2, 2, 2)))
    save_pretrained(model, tmp_path / "folder", labels=labels, licence="mit")
    weights = load_weights(tmp_path / "folder" / "model.safetensors")
    assert (weights.config, weights.labels) == (model.config, labels)
    same(weights.model(), model, (1, 3, 40, 50))
    assert segnext.load(tmp_path / "folder", "cpu", engine="torch").labels == labels
    with safe_open(tmp_path / "folder" / "model.safetensors", framework="pt") as file:
        assert file.metadata()["format"] == "pt"  # which other tools look for
    with pytest.raises(SegNextError, match="the model has 3 classes, the labels 1"):
        save_pretrained(model, tmp_path, labels=Labels("one", ("a",), ((0, 0, 0),)))


def test_a_module_keeps_what_its_weights_say(tmp_path: Path) -> None:
    model = segnext.SegNeXt.from_pretrained(DEFAULT, local_files_only=True)
    before = load_weights(weights_path(DEFAULT))
    model.save_pretrained(tmp_path, dataset="my streets", metrics={"miou": 0.5, "my_own": 0.25}, licence="mit")
    after = load_weights(tmp_path / "model.safetensors")
    assert (after.config, after.labels, after.preprocess) == (before.config, before.labels, before.preprocess)
    assert after.provenance.started_from == {"weights": before.labels.name, "part": "network"}
    assert after.provenance.metrics == {"miou": 0.5, "my_own": 0.25}
    card = (tmp_path / "README.md").read_text()
    assert "mIoU 50.00 % on my streets val" in card
    assert "| my_own | 0.25 |" in card
    again = segnext.SegNeXt.from_pretrained(tmp_path)
    same(again, model, (1, 3, 64, 64))

    other = create_model(DEFAULT, 5, 4)  # to which neither the classes' names nor the preprocessing belong
    with pytest.raises(SegNextError, match=r"takes 4 bands, the preprocessing 3; give preprocess=Preprocess\("):
        other.save_pretrained(tmp_path)
    names = tuple("rgbn")
    other.save_pretrained(tmp_path, preprocess=Preprocess((0.0,) * 4, (1.0,) * 4, bands=Bands(names, names)))
    assert load_weights(tmp_path / "model.safetensors").labels.classes[0] == "class 0"
    build(NETWORKS["segformer"]).save_pretrained(tmp_path)
    with pytest.raises(SegNextError, match=r"a SegFormer, not a SegNeXt; use segnext\.create_model"):
        segnext.SegNeXt.from_pretrained(tmp_path)
    with pytest.raises(SegNextError, match=r"segnext_t\.ade20k is not in the cache .* and local_files_only is set"):
        segnext.SegNeXt.from_pretrained("segnext_t.ade20k", local_files_only=True)


def test_files_of_before_load() -> None:
    from segnext.checkpoint.tensors import read_header

    file = weights_path("segnext_t.camvid")
    assert read_header(file).metadata["format"] == "segnext 1"
    assert isinstance(load_weights(file), Weights)


def test_the_version_is_told() -> None:
    assert segnext.__version__.count(".") >= 1
