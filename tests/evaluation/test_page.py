"""The report as a page: whole, self-contained, and safe with any names."""

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from segnext.data.folder import Pair
from segnext.evaluation.chart import Line, chart
from segnext.evaluation.examine import Mistake, Score, mistakes
from segnext.evaluation.metrics import Metrics
from segnext.evaluation.page import SIDE, Page, example, write_page
from segnext.labels import Labels

VOID = {"meta", "img", "br"}
SELF_CLOSED = {"path", "polyline", "polygon", "circle"}
HOSTILE = ("<script>alert(1)</script>", "\"'><b>&amp;", "crème brûlée 草", "{{ 7 * 7 }}", "</style></svg>")


class Checked(HTMLParser):
    """Follows open elements; collects texts, attributes and what is loaded."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []
        self.links: list[str] = []
        self.count: dict[str, int] = {}
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.count[tag] = self.count.get(tag, 0) + 1
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "action")]
        assert not any(name.startswith("on") for name, _ in attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in SELF_CLOSED

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "script"):
            self.texts.append(data)


def page(classes: tuple[str, ...]) -> Page:
    count = len(classes)
    labels = Labels("toy", classes, tuple((label, 0, 7) for label in range(count)), 255)
    confusion = np.diag(np.arange(count, dtype=np.int64) * 100)  # class 0 never occurs
    confusion[1, 2] = 25
    metrics = Metrics(confusion, classes, 3)
    photo, truth = np.zeros((50, 1000, 3), np.uint8), np.ones((50, 1000), np.uint8)
    score = Score(Pair(Path("a"), Path("b")), 0.25, 0.5, (Mistake(classes[1], classes[2], 3, 0.125),))
    shown = example(f"{classes[0]}.jpg", score, photo, truth, truth, labels)
    lines = [Line(name, [1, 2], [10.0 * label, 20.0]) for label, name in enumerate(classes)]
    charts = [chart("loss", [Line("loss", [1, 2], [3.0, 2.0])]), chart("IoU", lines, height=424)]
    shares = np.nan_to_num(metrics.shares).tolist()
    return Page(
        f"run of {classes[0]}",
        metrics,
        labels,
        "val",
        [("data", classes[1])],
        [shown],
        {"train": shares, "val": shares},
        charts,
        {"recipe": {"note": classes[2]}, "versions": {"segnext": "1.2.3"}},
    )


@pytest.mark.parametrize("classes", [HOSTILE, tuple(f"class {label}" for label in range(60))], ids=["hostile", "many"])
def test_whole_and_without_anything_from_elsewhere(classes: tuple[str, ...], tmp_path: Path) -> None:
    write_page(page(classes), tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    found = Checked(text)
    assert found.open == []
    assert found.count["html"] == found.count["body"] == 1
    assert found.count["script"] == found.count["style"] == 1
    assert found.count["polyline"] == 1 + len(classes)
    assert all(link.startswith("data:image/") for link in found.links)
    assert not re.search(r"https?://|@import|url\(", text)
    cells = [text.strip() for text in found.texts]
    for name in classes:
        assert name in cells  # in the table, as text
    assert f"run of {classes[0]}" in cells
    assert "1.2.3" in text


def test_the_figures(tmp_path: Path) -> None:
    write_page(page(("sky", "road", "car")), tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    table = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text[text.index('class="sortable"') :]))
    # sky never occurs; road 100 of 125 and never wrongly; car 200 with 25 too many; shares of 325
    assert "sky – – – – 0.00 road 80.00 80.00 100.00 88.89 38.46 car 88.89 100.00 88.89 94.12 61.54" in table
    assert "mean 84.44 90.00 94.44 91.50" in table
    assert "road → car: 20.00 %, 25 pixels" in text
    assert '<tr><th title="road">' in text  # a name too long for its row can be read all the same
    assert re.search(r"road\s+car\s+7.69", table)  # 25 of 325, the largest confusion
    assert "IoU 25.00 %" in table
    assert table.count("never") == 3  # once of the tables' footnote, and sky in both splits


def test_pictures_are_no_larger_than_shown() -> None:
    shown = page(("a", "b", "c")).examples[0]
    import base64
    import io

    from PIL import Image

    for uri in (shown.photo, shown.truth, shown.prediction, shown.errors):
        with Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))) as picture:
            assert picture.size == (SIDE, SIDE // 20)


def test_classes_that_are_never_predicted_are_named(tmp_path: Path) -> None:
    labels = Labels("toy", ("sky", "road"), ((1, 2, 3), (4, 5, 6)), 255)
    metrics = Metrics(np.array([[6, 0], [2, 0]], np.int64), labels.classes, 1)
    write_page(Page("weights", metrics, labels, "test"), tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert (
        "never predicted, though in the masks: road (25.00 % of the pixels); where their precision counts as 0" in text
    )
    assert "the mean precision is 37.50 %" in text


def test_a_page_of_metrics_alone(tmp_path: Path) -> None:
    labels = Labels("toy", ("sky", "road"), ((1, 2, 3), (4, 5, 6)), 255)
    metrics = Metrics(np.diag([3, 4]), labels.classes, 1)
    write_page(Page("weights", metrics, labels, "test"), tmp_path / "report.html")
    found = Checked((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert found.open == []
    assert "svg" not in found.count
    assert "none: every pixel is right" in found.texts


def test_multi_label_classes(tmp_path: Path) -> None:
    labels = Labels("toy", ("crack", "rust"), ((200, 0, 0), (0, 200, 0)), 255, multi_label=True)
    metrics = Metrics(np.array([[[50, 4], [9, 30]], [[80, 0], [0, 13]]], np.int64), labels.classes, 1)
    truth = np.zeros((2, 40, 60), np.uint8)
    truth[0, :20], truth[1, :, :30] = 1, 1
    score = Score(Pair(Path("a"), Path("b")), 0.25, 0.5, mistakes(metrics, 3))
    shown = example("a.jpg", score, np.zeros((40, 60, 3), np.uint8), truth, 1 - truth, labels)
    write_page(Page("run", metrics, labels, "val", (), [shown]), tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    found = Checked(text)
    assert found.open == []
    assert 'class="matrix"' not in text
    table = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))
    assert "crack nothing 9.68 nothing crack 4.30" in table  # 9 and 4 of 93 pixels
    assert len(found.links) == 4
