"""The notebooks in examples/ run from top to bottom, in a few steps and pictures."""

import os
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SMALLER = {"STEPS": 1, "SCENES": 2, "batch_size": 2}


def smaller(source: str) -> str:
    """A cell with fewer steps and pictures; of a training 64 x 64 pixels are enough."""
    for name, number in SMALLER.items():
        source = re.sub(rf"\b({name} ?= ?)\d+", rf"\g<1>{number}", source)
    return source.replace("(96, 96, 3)", "(64, 64, 3)").replace("(70, 70, 26)", "(40, 40, 20)")


@pytest.mark.long
@pytest.mark.parametrize("name", ["predict", "train", "evaluate"])
def test_a_notebook(name: str, tmp_path: Path) -> None:
    nbformat = pytest.importorskip("nbformat", reason="notebooks need the extra dev")
    client = pytest.importorskip("nbclient", reason="notebooks need the extra dev")
    pytest.importorskip("ipykernel", reason="notebooks need the extra dev")
    for folder in ("docs", "benchmarks"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    (tmp_path / "examples").mkdir()
    notebook = nbformat.read(ROOT / "examples" / f"{name}.ipynb", as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "outputs are not kept"
    for cell in notebook.cells:
        cell.source = smaller(cell.source) if cell.cell_type == "code" else cell.source
    run = client.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path / "examples")}})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, (str(ROOT / "src"), os.environ.get("PYTHONPATH")))))
        run.execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert not any(output.output_type == "error" for output in outputs)
    if kept := os.environ.get("SEGNEXT_KEEP_NOTEBOOKS"):
        nbformat.write(notebook, Path(kept) / f"{name}.ipynb")
