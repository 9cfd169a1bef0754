"""The encoder under a classifier."""

import pytest
import torch

from segnext.errors import SegNextError
from segnext.model.classifier import Classifier, create_classifier
from segnext.model.config import PRESETS, ModelConfig
from segnext.model.encoders.mscan import MSCAN
from segnext.model.layers import DropPath


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
    with torch.device("meta"):
        names = create_classifier("segnext_t", 1000).state_dict()
    assert names["head.weight"].shape == (1000, 256)
    assert names["head.bias"].shape == (1000,)
    assert all(name.startswith(("encoder.stages.", "head.")) for name in names)


@pytest.mark.parametrize(("model", "published"), [("segnext_t", 0.1), ("segnext_l", 0.2)])
def test_drop_path_is_the_published_one_of_pre_training(
    model: str, published: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    def last_rate(classifier: Classifier) -> float:
        return [module.probability for module in classifier.modules() if isinstance(module, DropPath)][-1]

    tiny = ModelConfig((8, 8, 8, 8), (1, 1, 1, 2), 64, 4, expansions=(2, 2, 2, 2), drop_path=0.3)
    monkeypatch.setitem(PRESETS, model, tiny)
    assert last_rate(create_classifier(model, 2)) == pytest.approx(published)
    assert last_rate(create_classifier(model, 2, drop_path=0.0)) == 0.0


def test_an_unknown_model() -> None:
    with pytest.raises(SegNextError, match="unknown model 'resnet'; "):
        create_classifier("resnet", 2)
