"""Encoders of other networks start from files under the names of their authors."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from segnext.checkpoint.checkpoint import read_checkpoint
from segnext.checkpoint.module import create_model
from segnext.checkpoint.start import start_encoder
from segnext.errors import SegNextError


@pytest.mark.parametrize("prefix", ["", "module.", "backbone."])
def test_a_resnet_of_torchvision(tmp_path: Path, prefix: str) -> None:
    torch.manual_seed(0)
    theirs = create_model("resnet18+fcn1", num_classes=3, decoder_channels=8).encoder.state_dict()
    file = tmp_path / "resnet18.safetensors"
    save_file({f"{prefix}{name}": x for name, x in {**theirs, "fc.weight": torch.ones(5, 512)}.items()}, file)
    model = create_model("resnet18_d8+fcn1", num_classes=3, in_channels=4, decoder_channels=8)
    before = model.decoder.state_dict()
    before = {name: x.clone() for name, x in before.items()}
    coverage = start_encoder(model, read_checkpoint(file))
    assert not coverage.wrong_shape
    state = model.state_dict()
    assert torch.equal(state["encoder.layer4.1.conv2.weight"], theirs["layer4.1.conv2.weight"])
    assert state["encoder.conv1.weight"].shape[1] == 4  # spread over four bands
    assert all(torch.equal(state[f"decoder.{name}"], x) for name, x in before.items())


def test_another_network_is_refused(tmp_path: Path) -> None:
    model = create_model("mobilenet_v2+fcn1", num_classes=3, decoder_channels=8)
    other = create_model("resnet18+fcn1", num_classes=3, decoder_channels=8).encoder.state_dict()
    file = tmp_path / "other.safetensors"
    save_file(other, file)
    with pytest.raises(SegNextError, match=r"other\.safetensors: none of its 120 tensors is one of a MobileNetV2"):
        start_encoder(model, read_checkpoint(file))
    deeper = create_model("resnet34+fcn1", num_classes=3, decoder_channels=8)
    with pytest.raises(SegNextError, match="missing"):
        start_encoder(deeper, read_checkpoint(file))


def test_a_vit_of_transformers(tmp_path: Path) -> None:
    width, state = 768, {}
    for name, shape in {
        "vit.embeddings.cls_token": (1, 1, width),
        "vit.embeddings.position_embeddings": (1, 1 + 14 * 14, width),
        "vit.embeddings.patch_embeddings.projection.weight": (width, 3, 16, 16),
        "vit.embeddings.patch_embeddings.projection.bias": (width,),
        "vit.layernorm.weight": (width,),
        "vit.layernorm.bias": (width,),
    }.items():
        state[name] = torch.full(shape, 0.5)
    file = tmp_path / "vit.safetensors"
    save_file(state, file)
    model = create_model("setr_naive_vit_b", num_classes=3)
    with pytest.raises(SegNextError, match="missing"):  # its blocks
        start_encoder(model, read_checkpoint(file))
