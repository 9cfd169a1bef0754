"""The same picture twice: exactly, or nearly so, also when turned or mirrored.

Exact copies have the same hash of their upright RGB pixels. Near copies are found in two steps. A 64-bit
difference hash of the 32 x 32 grey thumbnail, compared in all eight orientations, brings up candidates. They are
verified on the thumbnails: once brightness and contrast are fitted, no region may differ by more than what saving
again or resizing leaves. Frames of a video differ more where something moves; those of a camera and scene that do not
move cannot be told from copies, and are reported as such.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from segnext.data.doctor.records import THUMB, PairRecord

HASH_BITS = 10  # of 64 that may differ in candidates
LARGEST = 9.0  # grey levels by which verified thumbnails may differ, at the 99th percentile
TYPICAL = 2.5  # and in the root mean square
PLAIN = 6.0  # standard deviation in grey levels, below which pictures have too little in them to compare
BLOCK = 512
NEXT = 8  # later pictures that a copy is compared with: the next frames of a clip

_TURNS = ("", "turned by 90 degrees", "turned by 180 degrees", "turned by 270 degrees")
ORIENTATIONS = (*_TURNS, *(f"mirrored{' and ' + turn if turn else ''}" for turn in _TURNS))


@dataclass(frozen=True)
class Copy:
    """Two pictures that are the same; `how` is "exact", or says how the second differs."""

    first: int
    second: int
    how: str


def exact_copies(records: Sequence[PairRecord]) -> list[Copy]:
    """Pictures with equal pixels: each with the first of its kind."""
    first: dict[bytes, int] = {}
    copies = []
    for index, record in enumerate(records):
        if record.image.digest and (before := first.setdefault(record.image.digest, index)) != index:
            copies.append(Copy(before, index, "exact"))
    return copies


def near_copies(records: Sequence[PairRecord]) -> list[Copy]:
    """Pictures that are nearly the same: each with the first of those that copies of copies join.

    Of exact copies only the first is compared, a copy with few others, and what is joined already not at all, so
    that thousands of frames of a camera that stands still take no longer than thousands of different pictures.
    """
    seen: set[bytes] = set()
    kept: list[int] = []
    for index, record in enumerate(records):
        if record.image.thumb and record.image.digest not in seen:
            seen.add(record.image.digest)
            kept.append(index)
    if len(kept) < 2:
        return []
    thumbs = np.frombuffer(b"".join(records[i].image.thumb for i in kept), np.uint8).reshape(-1, THUMB, THUMB)
    varied = thumbs.reshape(len(kept), -1).std(axis=1) > PLAIN
    kept = [index for index, enough in zip(kept, varied, strict=True) if enough]
    thumbs = thumbs[varied]
    hashes = difference_hash(thumbs)
    group = np.arange(len(kept))  # the first picture of those that each is joined to
    joined: dict[int, str] = {}
    for orientation, how in enumerate(ORIENTATIONS):
        turned = _turn(thumbs, orientation)
        for first, others in _candidates(hashes, difference_hash(turned), group):
            for second in others:
                if group[first] != group[second] and same_picture(thumbs[first], turned[second]):
                    low, high = sorted((group[first], group[second]))
                    group[group == high] = low
                    joined.setdefault(int(second), f"near, {how}" if how else "near")
    return [
        Copy(kept[first], kept[index], joined.get(index, "near"))
        for index, first in enumerate(group.tolist())
        if first != index
    ]


def difference_hash(thumbs: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """64 bits for each of N thumbnails: whether each of 8 x 8 regions is brighter than the one to its left."""
    width = THUMB // 8
    rows = thumbs.reshape(len(thumbs), 8, width, THUMB).mean(axis=2)
    edges = np.linspace(0, THUMB, 10).round().astype(int)
    regions = np.stack([rows[:, :, a:b].mean(axis=2) for a, b in pairwise(edges)], axis=2)
    bits = (regions[:, :, 1:] > regions[:, :, :-1]).reshape(len(thumbs), 64)
    result: NDArray[np.uint64] = np.packbits(bits, axis=1).view(np.uint64).reshape(-1)
    return result


def same_picture(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> bool:
    """Whether two thumbnails agree but for brightness, contrast and what compression leaves."""
    one, two = first.astype(np.float64).ravel(), second.astype(np.float64).ravel()
    one_centred, two_centred = one - one.mean(), two - two.mean()
    gain = float(one_centred @ two_centred) / float(two_centred @ two_centred)
    if not 0.5 < gain < 2.0:
        return False
    rest = np.abs(one_centred - gain * two_centred)
    return bool(np.sqrt((rest**2).mean()) < TYPICAL and np.percentile(rest, 99) < LARGEST)


def _turn(thumbs: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    turned = np.rot90(thumbs, orientation % 4, axes=(1, 2))
    return np.ascontiguousarray(turned[:, :, ::-1] if orientation >= 4 else turned)


def _candidates(
    hashes: NDArray[np.uint64], others: NDArray[np.uint64], group: NDArray[np.intp]
) -> Iterator[tuple[int, NDArray[np.intp]]]:
    """Positions, and the later ones whose hashes differ in few bits; none that are in one group, then or meanwhile."""
    for start in range(0, len(hashes), BLOCK):
        block = hashes[start : start + BLOCK, None]
        close = _count_bits(block ^ others[None, start:]) <= HASH_BITS
        for row in range(len(block)):
            found = start + row + 1 + np.flatnonzero(close[row, row + 1 :])
            if found.size and (left := found[group[found] != group[start + row]]).size:
                yield start + row, left if group[start + row] == start + row else left[:NEXT]


def _count_bits(values: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Number of ones in each value."""
    if hasattr(np, "bitwise_count"):
        return np.asarray(np.bitwise_count(values), np.uint8)
    table = np.array([bin(byte).count("1") for byte in range(256)], np.uint8)
    counts: NDArray[np.uint8] = table[values[..., None].view(np.uint8)].sum(axis=-1, dtype=np.uint8)
    return counts
