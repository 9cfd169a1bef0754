"""Coverage: counts, table, refusal."""

import pytest
import torch

from segnext.checkpoint.coverage import compare, part_of
from segnext.errors import SegNextError

WANTED = {
    "encoder.stages.0.norm.weight": torch.zeros(8),
    "encoder.stages.0.norm.bias": torch.zeros(8),
    "encoder.stages.3.norm.weight": torch.zeros(32),
    "decoder.squeeze.conv.weight": torch.zeros(4, 4),
    "decoder.classifier.weight": torch.zeros(5, 4),
}
FOUND = {
    "encoder.stages.0.norm.weight": torch.ones(8),
    "encoder.stages.3.norm.weight": torch.ones(32),
    "decoder.classifier.weight": torch.ones(19, 4),
    "head.weight": torch.ones(1000, 32),
    "optimizer": torch.ones(1),
}


def test_parts() -> None:
    assert [part_of(name) for name in (*WANTED, "head.bias", "fc.weight")] == [
        *("encoder stage 1", "encoder stage 1", "encoder stage 4", "decoder", "classifier"),
        *("ImageNet classifier", "other"),
    ]


def test_counts_by_part() -> None:
    coverage = compare(WANTED, FOUND)
    assert coverage.by_part() == {
        "encoder stage 1": (1, 1, 0, 0),
        "encoder stage 4": (1, 0, 0, 0),
        "decoder": (0, 1, 0, 0),
        "classifier": (0, 0, 1, 0),
        "ImageNet classifier": (0, 0, 0, 1),
        "other": (0, 0, 0, 1),
    }
    assert coverage.wrong_shape == {"decoder.classifier.weight": ((19, 4), (5, 4))}
    assert not coverage.complete
    assert compare(WANTED, WANTED).complete


def test_table() -> None:
    assert str(compare(WANTED, FOUND)).splitlines() == [
        "                     loaded  missing  wrong shape  unexpected",
        "encoder stage 1           1        1            -           -",
        "encoder stage 4           1        -            -           -",
        "decoder                   -        1            -           -",
        "classifier                -        -            1           -",
        "ImageNet classifier       -        -            -           1",
        "other                     -        -            -           1",
    ]


def test_refuses_below_full_coverage() -> None:
    message = (
        "w.pth: 2 of the network's 5 tensors are covered, 2 missing (encoder stage 1, decoder; "
        "'encoder.stages.0.norm.bias' first), 1 of wrong shape (classifier; 'decoder.classifier.weight' first), "
        "2 unexpected (ImageNet classifier, other; 'head.weight' first); give others"
    )
    with pytest.raises(SegNextError) as error:
        compare(WANTED, FOUND).require("w.pth", hint="give others")
    assert str(error.value) == message


def test_accepts_what_is_named() -> None:
    found = {name: x for name, x in FOUND.items() if name != "optimizer"}
    wanted = {name: x for name, x in WANTED.items() if name != "encoder.stages.0.norm.bias"}
    coverage = compare(wanted, found)
    coverage.require("w.pth", new=("decoder", "classifier"), unused=("ImageNet classifier",))
    with pytest.raises(SegNextError, match=r"1 missing \(decoder;"):
        coverage.require("w.pth", new=("classifier",), unused=("ImageNet classifier",))


def test_nothing_that_fits_is_never_accepted() -> None:
    wanted = {name: x for name, x in WANTED.items() if name.startswith("decoder.")}
    with pytest.raises(SegNextError, match="0 of the network's 2 tensors are covered, nothing in it fits"):
        compare(wanted, {}).require("w.pth", new=("decoder", "classifier"))
