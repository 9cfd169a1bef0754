"""Names in pictures."""

from pathlib import Path

import matplotlib
import numpy as np
import PIL.Image
import pytest
from matplotlib import font_manager
from matplotlib.figure import Figure

from segnext.figures import plain_text


def width_of(text: str) -> int:
    """Columns that a text covers in a picture."""
    figure = Figure(figsize=(4, 1), dpi=50)
    figure.text(0.02, 0.5, text)
    figure.savefig(Path("text.png"))
    with PIL.Image.open("text.png") as picture:
        return int((np.asarray(picture.convert("L")) < 128).any(0).sum())


def test_text_is_no_formula(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="ParseSyntaxException"):
        width_of(r"$\frac{a}$")
    with plain_text():
        assert width_of(r"$\frac{a}$") > width_of("a") > 0
        assert width_of("\u5929") > 0  # a box, and no warning, where no font has it
    assert matplotlib.rcParams["text.parse_math"]


def test_fonts_that_are_there_help_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(font_manager, "get_font_names", lambda: ["Yu Gothic", "Comic Sans"])
    with plain_text():
        assert matplotlib.rcParams["font.family"] == ["DejaVu Sans", "Yu Gothic"]
