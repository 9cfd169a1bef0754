# ruff: noqa: E402
"""The tests that segmentation_models.pytorch has for its own models, on ours.

In an environment of its own with segmentation-models-pytorch, pytest, GitPython and segnext, and a checkout of the same
version's repository, whose tests are not part of the package:

    python tests/golden/make/smp_tests.py CHECKOUT [--json F]

CHECKOUT/tests/models/base.py is run as it is. What it asks that package for (a model by name, one from a folder, a file
of the Hub) is answered by the few lines below, from which it gets our module itself. Beside each kind of test stands
what became of it.
"""

import argparse
import ast
import json
import os
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import segnext
from segnext.checkpoint.official import from_official
from segnext.model.families import build

TESTS = Path(__file__).parents[2]
sys.path.insert(0, str(TESTS / "checkpoint"))
from test_golden import calm, filled_state, picture

NAME = "segnext"
GOLDEN = "golden/mmsegmentation"  # the Hub's repository, if it were one


def create_model(
    arch: str, encoder_name: str = "", encoder_depth: int = 5, in_channels: int = 3, classes: int = 1, **rest: Any
) -> nn.Module:
    """SegNeXt-T; a depth of so many halvings is the stages of the head up to there."""
    if rest:
        raise TypeError(f"{arch} has no {', '.join(rest)}")
    stages = tuple(range(2, encoder_depth))
    return described(segnext.create_model("segnext_t", classes, in_channels, stages=stages))


def described(model: nn.Module) -> nn.Module:
    """With what the tests look up about it."""
    model.requires_divisible_input_shape = False  # type: ignore[assignment]
    model._is_torch_compilable = model._is_torch_scriptable = True  # type: ignore[assignment]
    return model


class Logits(nn.Module):
    """Every eighth class where the decoder gives it, which is what the golden values are."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, image: Tensor) -> Tensor:
        return self.model.decoder(self.model.encoder(image))[:, ::8]  # type: ignore[no-any-return]


def from_pretrained(name: str) -> nn.Module:
    """Our module from a folder of ours; or with the weights of the golden values."""
    if name != GOLDEN:
        return described(segnext.SegNeXt.from_pretrained(name))
    golden = np.load(TESTS / "golden" / "mmsegmentation.npz")
    shapes = {str(name): list(ast.literal_eval(shape)) for name, shape in golden["t names"]}
    config, state = from_official(calm(filled_state(shapes)), "golden", 16)
    model = build(config)
    model.load_state_dict(state)
    return Logits(model)


def hub_file(repo_id: str, filename: str) -> str:
    """The picture of the golden values, and what mmsegmentation says of it."""
    golden = np.load(TESTS / "golden" / "mmsegmentation.npz")
    tensors = {"input-tensor.pth": picture(), "output-tensor.pth": torch.from_numpy(golden["t logits"])[None]}
    path = Path(tempfile.mkdtemp()) / filename
    torch.save(tensors[filename], path)
    return str(path)


class Noted(unittest.TextTestResult):
    """Results by the name of the test."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.noted: dict[str, str] = {}

    def stopTest(self, test: unittest.TestCase) -> None:  # noqa: N802 - unittest's name
        super().stopTest(test)
        failed = {case.id(): text for case, text in (*self.failures, *self.errors, *self.skipped)}
        said = failed.get(test.id(), "passes").strip().splitlines()[-1]
        self.noted[test.id().rpartition(".")[2].removeprefix("test_")] = said


def main() -> int:
    """Run the tests, print a line for each kind; 0 when all pass but the one that asks for a classification head."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    os.environ |= {"RUN_SLOW": "true", "RUN_ALL": "true"}
    sys.path.insert(0, str(args.checkout))
    import segmentation_models_pytorch as smp
    from tests.models import base

    smp.create_model, smp.from_pretrained, base.hf_hub_download = create_model, from_pretrained, hub_file
    smp.MODEL_ARCHITECTURES_MAPPING[NAME] = segnext.SegNeXt
    ours = type("Ours", (base.BaseModelTester,), {"test_model_type": NAME, "hub_checkpoint": GOLDEN})
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(ours)
    result = unittest.TextTestRunner(resultclass=Noted, verbosity=0).run(suite)
    noted = result.noted  # type: ignore[attr-defined]
    for kind, said in noted.items():
        print(f"{kind:40} {said}")
    if args.json:
        args.json.write_text(json.dumps({"smp": smp.__version__, "torch": torch.__version__, "tests": noted}, indent=2))
    return int({kind for kind, said in noted.items() if said != "passes"} != {"classification_head"})


if __name__ == "__main__":
    sys.exit(main())
