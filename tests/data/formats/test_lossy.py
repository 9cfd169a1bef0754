"""Colour masks that were saved as JPEG: borders are found again, thin things survive, and doubt is ignored."""

import io
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scenes import draw_scene

from segnext.data.folder import Folder, read_mask
from segnext.data.formats.lossy import UNSURE, Lossy
from segnext.data.formats.options import Options
from segnext.data.formats.run import import_dataset
from segnext.data.known import known_labels
from segnext.data.masks import pack

COLORS = np.array(known_labels("camvid").colors, np.int32)


def blurred(labels: NDArray[np.integer], quality: int) -> NDArray[np.int32]:
    """Colours of a mask that was a JPEG with halved chroma."""
    stream = io.BytesIO()
    Image.fromarray(COLORS[labels].astype(np.uint8)).save(stream, "JPEG", quality=quality, subsampling=2)
    return pack(np.asarray(Image.open(stream)))


def mean_iou(truth: NDArray[np.integer], found: NDArray[np.integer]) -> float:
    return float(
        np.mean([((truth == c) & (found == c)).sum() / ((truth == c) | (found == c)).sum() for c in np.unique(truth)])
    )


@pytest.mark.parametrize(("quality", "better"), [(95, 0.05), (75, 0.08)])
def test_borders_are_better_than_by_the_nearest_colour(quality: int, better: float) -> None:
    decoder = Lossy(COLORS)
    gains = []
    for seed in range(4):
        labels = draw_scene(seed, 128, 192)[1].astype(np.int64)
        labels[labels == 255] = 0
        codes = blurred(labels, quality)
        found, decided = decoder.decode(codes)
        rgb = np.stack([codes >> 16, codes >> 8 & 255, codes & 255], 2)
        nearest = ((rgb[:, :, None] - COLORS) ** 2).sum(-1).argmin(-1)
        gains.append(mean_iou(labels, found) - mean_iou(labels, nearest))
        assert (found == UNSURE).mean() < 0.01
        assert 0.001 < decided.mean() < 0.5
    assert np.mean(gains) > better, gains


def test_a_blend_of_two_regions_is_no_third_class() -> None:
    decoder = Lossy(np.array([[0, 0, 0], [200, 200, 200], [100, 100, 100]]))
    grey = np.zeros((12, 12), np.int32)
    grey[:, 7:] = 200
    grey[:, 6] = 100  # the border, as an anti-aliased edge has it
    found, decided = decoder.decode(grey * 0x010101)
    assert set(np.unique(found)) == {0, 1}
    assert decided[:, 6].all()
    grey[:, 6] = 200
    grey[4:8, 1:5] = 100  # a region of its own
    assert (decoder.decode(grey * 0x010101)[0][4:8, 1:5] == 2).all()


def test_jpeg_masks_are_imported_and_photographs_refused(tmp_path: Path) -> None:
    image, labels = draw_scene(2, 96, 144)
    labels[labels == 255] = 0
    for folder in ("images", "masks"):
        (tmp_path / "in" / folder).mkdir(parents=True)
    for name in "ab":
        Image.fromarray(image).save(tmp_path / f"in/images/{name}.jpg")
    Image.fromarray(COLORS[labels].astype(np.uint8)).save(tmp_path / "in/masks/a.jpg", quality=90)
    noise = np.random.default_rng(0).integers(0, 256, image.shape, np.uint8)
    Image.fromarray(noise).save(tmp_path / "in/masks/b.jpg", quality=95)
    summary = import_dataset("colors", tmp_path / "out", Options(tmp_path / "in", like="camvid"))
    assert [record.kind for record in summary.records] == ["", "foreign colour"]
    assert "is near no class's colour" in summary.records[1].reason
    assert "pixels of JPEG masks decided by their neighbours" in summary.notes()
    found = read_mask(tmp_path / "out/masks/train/a.png", Folder.open(tmp_path / "out").labels)
    assert (found == labels).mean() > 0.97
