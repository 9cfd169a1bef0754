"""The encoder under a classifier."""

from pathlib import Path

import pytest
import torch

from segnext.checkpoint.checkpoint import read_checkpoint
from segnext.checkpoint.provenance import Provenance
from segnext.checkpoint.start import start_encoder
from segnext.checkpoint.weights import save_encoder
from segnext.errors import SegNextError
from segnext.model.classifier import Classifier, create_classifier
from segnext.model.config import PRESETS, ModelConfig, preset
from segnext.model.encoders.mscan import MSCAN
from segnext.model.families import build
from segnext.model.layers import DropPath
from segnext.model.unfilled import unfilled


def test_logits_are_a_linear_layer_on_the_mean_of_the_last_map() -> None:
    torch.manual_seed(0)
    encoder = MSCAN(channels=(8, 8, 16, 16), depths=(1, 1, 1, 1), expansions=(2, 2, 2, 2))
    model = Classifier(encoder, 5).eval()
    image = torch.randn(2, 3, 64, 96)
    last = encoder(image)[-1]
    assert last.shape == (2, 16, 2, 3)
    mean = last.sum((2, 3)) / 6
    expected = mean @ model.head.weight.T + model.head.bias
    torch.testing.assert_close(model(image), expected)


def test_tensors_are_named_as_in_encoder_files() -> None:
    with unfilled():
        names = create_classifier("segnext_t", 1000).state_dict()
    assert names["head.weight"].shape == (1000, 256)
    assert names["head.bias"].shape == (1000,)
    assert all(name.startswith(("encoder.stages.", "head.")) for name in names)


@pytest.mark.parametrize(("model", "segmentation", "published"), [("segnext_t", 0.1, 0.1), ("segnext_l", 0.3, 0.2)])
def test_drop_path_is_the_published_one_of_pre_training(
    model: str, segmentation: float, published: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    def last_rate(classifier: Classifier) -> float:
        return [module.probability for module in classifier.modules() if isinstance(module, DropPath)][-1]

    tiny = ModelConfig((8, 8, 8, 8), (1, 1, 1, 2), 64, 4, expansions=(2, 2, 2, 2), drop_path=segmentation)
    monkeypatch.setitem(PRESETS, model, tiny)
    assert last_rate(create_classifier(model, 2)) == pytest.approx(published)
    assert last_rate(create_classifier(model, 2, drop_path=0.0)) == 0.0


@pytest.mark.parametrize("model", ["segformer_b0", "resnet18_d8+fcn", "mobilenet_v2+ham", "hrnet_w18_small"])
def test_the_encoder_of_any_family_starts_a_segmentation(model: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    trained = create_classifier(model, 2)
    save_encoder(trained.state_dict(), Provenance(), tmp_path / "encoder.safetensors")
    network = build(preset(model, num_classes=3))
    coverage = start_encoder(network, read_checkpoint(tmp_path / "encoder.safetensors"))
    assert {name for name in network.state_dict() if name.startswith("encoder.")} == set(coverage.loaded)
    torch.testing.assert_close(network.encoder.state_dict(), trained.encoder.state_dict())


def test_an_unknown_model() -> None:
    with pytest.raises(SegNextError, match="unknown model 'resnet'; "):
        create_classifier("resnet", 2)


def test_a_network_of_the_users_own_has_no_encoder() -> None:
    with pytest.raises(SegNextError, match=r"torch\.nn:Identity gives a whole network"):
        create_classifier("torch.nn:Identity", 2)
