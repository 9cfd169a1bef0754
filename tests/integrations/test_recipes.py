"""The recipes in docs/integrations.md, run as they are written."""

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

import segnext

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "integrations.md").read_text(encoding="utf-8")

pytestmark = [pytest.mark.long, pytest.mark.filterwarnings("ignore")]  # what libraries warn of is theirs


def recipe(heading: str, library: str, folder: Path, monkeypatch: pytest.MonkeyPatch, **given: Any) -> dict[str, Any]:
    """Run the code below a heading; the names that it defines."""
    pytest.importorskip(library, reason=f"the package {library} is not installed")
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    (code,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    shutil.copy(ROOT / "docs" / "street.png", folder)
    monkeypatch.chdir(folder)
    exec(compile(code, heading, "exec"), given)
    return given


def test_supervision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = recipe("supervision", "supervision", tmp_path, monkeypatch)
    detections, result = done["detections"], done["result"]
    assert len(detections) == sum(share > 0 for share in result.shares.values())
    whole = np.full(result.mask.shape, 255)
    for label, mask in zip(detections.class_id, detections.mask, strict=True):
        whole[mask] = label
    np.testing.assert_array_equal(whole, result.mask)
    assert done["painted"].shape == result.image.shape
    assert (done["painted"] != result.image).any()


def test_torchmetrics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    segmenter = segnext.load("segnext_t.camvid")
    mask = segmenter(ROOT / "docs" / "street.png").mask
    truth = mask.copy()
    truth[:100] = segmenter.labels.ignore
    truth[200:, :240] = 3
    done = recipe("torchmetrics", "torchmetrics", tmp_path, monkeypatch, pairs=[("street.png", truth)])
    counted = truth != segmenter.labels.ignore
    both = ((mask == 3) & (truth == 3)).sum() / (((mask == 3) | (truth == 3)) & counted).sum()
    assert done["metric"].compute()[3].item() == pytest.approx(both, abs=1e-6)


def test_lightning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loader = DataLoader(TensorDataset(torch.rand(4, 3, 64, 64), torch.randint(0, 11, (4, 64, 64))), batch_size=2)
    before = segnext.create_model("segnext_t.camvid").state_dict()
    done = recipe("Lightning", "lightning", tmp_path, monkeypatch, loader=loader)
    after = segnext.load(tmp_path / "trained").model.state_dict()
    for name, tensor in done["module"].model.state_dict().items():
        torch.testing.assert_close(after[name], tensor)
    assert done["module"].model.training
    name = "decoder.classifier.weight"
    assert not torch.equal(after[name], before[name])
