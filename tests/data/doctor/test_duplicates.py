import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from segnext.data.doctor import duplicates
from segnext.data.doctor.duplicates import Copy, difference_hash, exact_copies, near_copies, same_picture
from segnext.data.doctor.records import THUMB, Mask, PairRecord
from segnext.data.doctor.records import Image as ImageRecord


def scene(seed: int, detail: int = 9) -> Image.Image:
    coarse = np.random.Generator(np.random.PCG64(seed)).integers(0, 256, (detail, detail, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((320, 240), Image.Resampling.BICUBIC)


def record(picture: Image.Image) -> PairRecord:
    thumb = picture.convert("L").resize((THUMB, THUMB), Image.Resampling.BOX).tobytes()
    return PairRecord(ImageRecord(digest=picture.tobytes()[:4096], thumb=thumb), Mask())


def saved(picture: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def test_exact_copies_are_those_of_the_first() -> None:
    records = [record(scene(seed)) for seed in (1, 2, 1, 3, 1)]
    assert exact_copies(records) == [Copy(0, 2, "exact"), Copy(0, 4, "exact")]
    assert near_copies(records) == []


def test_a_camera_that_stands_still_takes_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    still = np.asarray(scene(1))
    frames = [record(Image.fromarray(np.maximum(still, shade))) for shade in range(60)]
    compared = 0

    def counted(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> bool:
        nonlocal compared
        compared += 1
        return same_picture(first, second)

    monkeypatch.setattr(duplicates, "same_picture", counted)
    copies = near_copies(frames)
    assert {copy.second for copy in copies} >= set(range(1, 10))
    assert len({copy.second for copy in copies}) == len(copies)  # each is told once
    assert compared < 10 * len(frames)  # and not with every other


def test_saved_resized_brighter_and_turned_copies_are_found() -> None:
    picture = scene(1)
    brighter = Image.fromarray((np.asarray(picture) * 0.8 + 30).astype(np.uint8))
    copies = [saved(picture, 40), picture.resize((200, 150)), brighter, picture.transpose(Image.Transpose.ROTATE_90)]
    for copy, how in zip(copies, ("near", "near", "near", "near, turned by 270 degrees"), strict=True):
        found = near_copies([record(picture), record(scene(2)), record(copy)])
        assert [(pair.first, pair.second, pair.how) for pair in found] == [(0, 2, how)]


def test_the_same_street_with_another_car_is_no_copy() -> None:
    before = scene(1)
    after = before.copy()
    after.paste((10, 10, 10), (120, 120, 200, 180))
    assert near_copies([record(before), record(after)]) == []


def test_plain_pictures_are_not_compared() -> None:
    plain: NDArray[np.uint8] = np.full((240, 320, 3), 200, np.uint8)
    darker = plain.copy()
    darker[:9] = 190
    assert near_copies([record(Image.fromarray(plain)), record(Image.fromarray(darker))]) == []


def test_hash_tells_rising_from_falling() -> None:
    rising = np.linspace(0, 255, THUMB).astype(np.uint8)[None].repeat(THUMB, axis=0)
    hashes = difference_hash(np.stack([rising, rising[:, ::-1]]))
    assert hashes.tolist() == [2**64 - 1, 0]
