"""Shares, masks and overlays of a picture made by hand."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from segnext.errors import SegNextError
from segnext.inference.overlay import paint
from segnext.inference.result import Result
from segnext.labels import Labels
from segnext.words import percent

LABELS = Labels("toy", ("sky", "road", "tree"), ((0, 0, 250), (100, 60, 100), (0, 130, 0)))


def halves(height: int, width: int) -> Result:
    """The upper half road, the lower half sky, over a grey picture."""
    mask = np.zeros((height, width), np.uint8)
    mask[: height // 2] = 1
    image = np.full((height, width, 3), 100, np.uint8)
    return Result(image, mask, lambda: np.full((height, width), 0.75, np.float32), LABELS, 0.5)


def test_shares_and_confidence() -> None:
    mask = np.array([[0, 2, 2, 2]], np.uint8)
    confidence = np.array([[0.5, 1.0, 1.0, 0.5]], np.float32)
    result = Result(np.zeros((1, 4, 3), np.uint8), mask, lambda: confidence, LABELS, 0.1)
    assert result.shares == {"sky": 0.25, "road": 0.0, "tree": 0.75}
    assert list(result.shares) == list(result.classes) == ["sky", "road", "tree"]
    assert result.mean_confidence == 0.75


def test_mask_image_has_labels_and_palette(tmp_path: Path) -> None:
    result = halves(6, 4)
    picture = result.mask_image()
    assert picture.mode == "P"
    np.testing.assert_array_equal(np.asarray(picture), result.mask)
    np.testing.assert_array_equal(np.asarray(picture.convert("RGB"))[[0, -1], 0], [[100, 60, 100], [0, 0, 250]])
    picture.save(tmp_path / "mask.png")
    assert (tmp_path / "mask.png").read_bytes()[24] == 8, "bits per pixel"
    np.testing.assert_array_equal(np.asarray(PIL.Image.open(tmp_path / "mask.png")), result.mask)


def test_colours_are_mixed_half_and_half_and_borders_drawn() -> None:
    result = halves(100, 100)
    painted = paint(result.image, result.mask, LABELS)
    np.testing.assert_array_equal(painted[10, 10], [100, 80, 100])  # (100, 60, 100) and (100, 100, 100)
    np.testing.assert_array_equal(painted[90, 10], [50, 50, 175])
    lines = (painted.min(axis=2) > 150).all(axis=1).nonzero()[0]
    assert lines.tolist() in ([49], [50])


@pytest.mark.parametrize(
    ("height", "width", "below"),
    [(32, 32, True), (360, 480, True), (480, 360, False), (200, 4000, True), (4000, 200, False), (1000, 1500, True)],
)
def test_legend_is_outside_the_picture(height: int, width: int, below: bool) -> None:
    result = halves(height, width)
    overlay = np.asarray(result.overlay())
    factor = 8 if (height, width) == (32, 32) else 1
    shown = (height * factor, width * factor)
    image, mask = (x.repeat(factor, 0).repeat(factor, 1) for x in (result.image, result.mask))
    painted = paint(image, mask, LABELS)
    np.testing.assert_array_equal(overlay[: shown[0], : shown[1]], painted)
    strip = overlay[shown[0] :] if below else overlay[:, shown[1] :]
    assert min(strip.shape[:2]) >= 30
    for color, there in (((0, 0, 250), True), ((100, 60, 100), True), ((0, 130, 0), False)):
        swatch = (strip == color).all(axis=2)
        assert swatch.any() == there, "classes that occur, and no others"
        if there:
            assert swatch.sum() >= 10 * 10
    assert ((strip < 100).all(axis=2)).sum() > 100, "letters"


def test_the_legend_says_what_was_not_measured() -> None:
    result = halves(200, 300)
    before = np.asarray(result.overlay())[200:]
    assert not (before == 0).all(axis=2).any()
    result = halves(200, 300)
    result.mask[:10] = 255
    after = np.asarray(result.overlay())[200:]
    assert (after == 0).all(axis=2).sum() >= 10 * 10  # its swatch
    assert sum(result.shares.values()) == pytest.approx(0.95)
    nothing = halves(200, 300)
    nothing.mask[:] = 255
    assert (np.asarray(nothing.overlay())[200:] == 0).all(axis=2).any()


@pytest.mark.parametrize("letter", "ßéøłŽжλ")
def test_letters_beyond_ascii_are_drawn(letter: str) -> None:
    def legend(name: str) -> bytes:
        labels = Labels("toy", (name,), ((1, 2, 3),))
        mask = np.zeros((9, 300), np.uint8)
        result = Result(np.zeros((9, 300, 3), np.uint8), mask, lambda: np.ones((9, 300), np.float32), labels, 0.1)
        return np.asarray(result.overlay())[9:].tobytes()

    assert legend(letter) != legend("\uffff"), "a box stands for a missing letter"


def test_rare_classes_and_one_pixel() -> None:
    result = halves(1000, 1000)
    result.mask[999, 999] = 2
    assert (np.asarray(result.overlay())[1000:] == (0, 130, 0)).all(axis=2).any()
    one = halves(1, 1)
    assert one.overlay().size[0] >= 256


def test_percent() -> None:
    assert [percent(x) for x in (0.0, 1e-6, 0.0005, 0.2564, 1.0)] == ["0.0 %", "<0.1 %", "0.1 %", "25.6 %", "100.0 %"]


def test_save(tmp_path: Path) -> None:
    result = halves(20, 30)
    result.save(tmp_path / "new" / "folder", "street")
    result.save(str(tmp_path / "new" / "folder"))
    names = sorted(file.name for file in (tmp_path / "new" / "folder").iterdir())
    assert names == ["image.mask.png", "image.overlay.png", "street.mask.png", "street.overlay.png"]
    np.testing.assert_array_equal(PIL.Image.open(tmp_path / "new" / "folder" / "street.mask.png"), result.mask)


def test_save_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SegNextError, match="file: cannot write 'street'"):
        halves(8, 8).save(tmp_path / "file", "street")
