"""Colour masks kept as JPEG, whose colours run into each other: what can be trusted, and borders by their neighbours.

A colour is trusted when it is near that of a class and its neighbours agree. Regions that hold a square of 3 x 3 pixels
are; thinner ones are only when their colour is no blend of the regions on both sides. Every other pixel takes, of the
classes that are trusted within two pixels, the one whose colour is nearest, and is unsure where there is none.
"""

from itertools import combinations

import cv2
import numpy as np
from numpy.typing import NDArray

from segnext.data.masks import Codes

# RGB to luma and chroma (JFIF), luma counted twice because JPEG keeps it at full size.
_WEIGHTS = np.array([[0.598, 1.174, 0.228], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32)
LEAST, MOST = 22.0, 45.0  # distances up to which a colour may be trusted, half of that to the next class between them
AGREE = 3  # of the nine pixels around one, itself counted
BLEND = 10.0  # distance from the line between two colours up to which one is their blend
UNSURE = -1
_SQUARE, _REACH = np.ones((3, 3), np.uint8), np.ones((5, 5), np.uint8)

Bits = NDArray[np.uint8]  # H x W of 0 and 1
Colors = NDArray[np.float32]  # (n, 3), as _WEIGHTS turns them


class Lossy:
    """Decodes masks of known colours.

    Args:
        colors: (n, 3) RGB of every class, and of what is ignored.
    """

    def __init__(self, colors: NDArray[np.integer]) -> None:
        self.known = _seen(colors)
        apart = _distances(self.known, self.known)
        np.fill_diagonal(apart, np.inf)
        self.trusted = (apart.min(1) / 2).clip(LEAST, MOST)

    def decode(self, codes: Codes) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """The position of each pixel's colour among the known ones or UNSURE, and where neighbours decided, H x W.

        Args:
            codes: colours 0xRRGGBB, H x W.
        """
        found, places = np.unique(codes, return_inverse=True)
        places = places.reshape(codes.shape)
        colors = _seen(np.stack([found >> 16, found >> 8 & 255, found & 255], 1))
        distances = _distances(colors, self.known)
        nearest = distances.argmin(1)
        close = distances[np.arange(len(found)), nearest] <= self.trusted[nearest]
        result = self._trusted(np.where(close, nearest, UNSURE)[places], colors, places)
        open_pixels = result == UNSURE
        where = np.flatnonzero(open_pixels)
        best = np.full(len(where), np.inf, np.float32)
        pick = np.full(len(where), UNSURE)
        for label in np.unique(result[~open_pixels]):
            near = cv2.dilate((result == label).astype(np.uint8), _REACH).ravel()[where] > 0
            cost = np.where(near, distances[places.ravel()[where], label], np.inf)
            better = cost < best
            best[better], pick[better] = cost[better], label
        result.ravel()[where] = pick
        return result, open_pixels

    def _trusted(self, near: NDArray[np.intp], colors: Colors, places: NDArray[np.intp]) -> NDArray[np.intp]:
        """`near` where it can be trusted, else UNSURE."""
        result = np.full(near.shape, UNSURE)
        thin: dict[int, tuple[Bits, NDArray[np.int32], int]] = {}
        for label in np.unique(near[near != UNSURE]).tolist():
            is_label = (near == label).astype(np.uint8)
            around = cv2.boxFilter(is_label, -1, (3, 3), normalize=False, borderType=cv2.BORDER_REPLICATE)
            is_label &= (around >= AGREE).astype(np.uint8)
            core = cv2.erode(is_label, _SQUARE, borderType=cv2.BORDER_REPLICATE)
            count, pieces = cv2.connectedComponents(is_label, connectivity=8)
            solid = np.zeros(count, np.bool_)
            solid[np.unique(pieces[core > 0])] = True
            solid[0] = False
            result[solid[pieces]] = label
            rest = is_label & ~solid[pieces]
            if rest.any():
                thin[label] = rest, np.asarray(pieces, np.int32), count
        reach = {label: cv2.dilate((result == label).astype(np.uint8), _REACH) for label in np.unique(result)}
        reach.pop(UNSURE, None)
        for label, (rest, pieces, count) in thin.items():
            where = np.flatnonzero(rest)
            others = {other: near_by.ravel()[where] > 0 for other, near_by in reach.items() if other != label}
            blend = self._blends(colors[places.ravel()[where]], others)
            piece = pieces.ravel()[where]
            share = np.bincount(piece, blend, count) / np.maximum(np.bincount(piece, minlength=count), 1)
            result.ravel()[where[share[piece] <= 0.5]] = label
        return result

    def _blends(self, colors: Colors, others: dict[int, NDArray[np.bool_]]) -> NDArray[np.bool_]:
        """Which colours lie between those of two classes that are near their pixels."""
        result = np.zeros(len(colors), np.bool_)
        for one, two in combinations([label for label, near in others.items() if near.any()], 2):
            both = np.flatnonzero(others[one] & others[two] & ~result)
            start, line = self.known[one], self.known[two] - self.known[one]
            along = ((colors[both] - start) @ line / (line @ line)).clip(0, 1)
            result[both] = np.linalg.norm(colors[both] - start - along[:, None] * line, axis=1) < BLEND
        return result


def _seen(colors: NDArray[np.integer]) -> Colors:
    return np.asarray(colors.astype(np.float32) @ _WEIGHTS.T, np.float32)


def _distances(colors: Colors, known: Colors) -> NDArray[np.float32]:
    """(colours, known ones), one known colour at a time: there may be many of the others."""
    return np.stack([np.linalg.norm(colors - color, axis=1) for color in known], 1)
