"""From an image in memory to the network's input: the one source for training, evaluation and prediction."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]  # H x W x 3, RGB
Raster = NDArray[np.float32]  # H x W x bands, in the units of the data, NaN where nothing was measured


@dataclass(frozen=True)
class Bands:
    """How files are read band by band, instead of as 8-bit RGB pictures.

    Attributes:
        names: of all bands of a file, in its order.
        chosen: names of those that enter the network, in the order in which they do.
        nodata: value that stands for "not measured", besides NaN and what a file itself declares.
        dtype: type of the values in the training files, such as uint16; "" before they were looked at.
    """

    names: tuple[str, ...]
    chosen: tuple[str, ...]
    nodata: float | None = None
    dtype: str = ""

    @property
    def positions(self) -> list[int]:
        """Where the chosen bands are in a file, from 0."""
        return [self.names.index(name) for name in self.chosen]


@dataclass(frozen=True)
class Preprocess:
    """How pictures are prepared; stored with the weights.

    Attributes:
        mean: per band that enters the network, in units of an 8-bit image (0..255), or of the data with `bands`.
        std: per band, in the same units.
        short_side: pixels; before the network, pictures are resized so that their short side has about this
            length and their long side at most long_side, or four times it. None leaves the size as it is.
        long_side: pixels of the long side; with short_side, which may then be shorter, its most. None for no limit of
            its own.
        bands: how files are read; None for pictures as people see them, 8-bit RGB.
    """

    mean: tuple[float, ...] = (123.675, 116.28, 103.53)
    std: tuple[float, ...] = (58.395, 57.12, 57.375)
    short_side: int | None = None
    bands: Bands | None = None
    long_side: int | None = None

    def size(self, height: int, width: int, scale: float = 1.0) -> tuple[int, int]:
        """Height and width at which a picture of this size is looked at: its proportions, up to rounding.

        Args:
            height: of the picture.
            width: of the picture.
            scale: what the size that `short_side` and `long_side` give is multiplied by.
        """
        most = 4 * self.short_side if self.short_side and not self.long_side else self.long_side
        wanted = ((self.short_side, min(height, width)), (most, max(height, width)))
        scale *= min((side / own for side, own in wanted if side), default=1.0)
        return max(1, int(height * scale + 0.5)), max(1, int(width * scale + 0.5))

    def wanted(self) -> str:
        """The size that pictures are resized to, in words; "" where they keep theirs."""
        sides = {"a short side": self.short_side, "a long side": self.long_side}
        most = "at most " if self.short_side else ""
        said = [f"{name} of {most * (name == 'a long side')}{side} pixels" for name, side in sides.items() if side]
        return " and ".join(said)

    def normalise(self, image: Image | Raster) -> NDArray[np.float32]:
        """(H, W, bands) -> (bands, H, W), zero mean and unit variance on the training data; 0 where not measured."""
        mean = np.asarray(self.mean, np.float32)
        std = np.asarray(self.std, np.float32)
        normal: NDArray[np.float32] = ((image.astype(np.float32) - mean) / std).transpose(2, 0, 1)
        if self.bands is not None:
            np.nan_to_num(normal, copy=False, nan=0.0)
        return normal


def padding(height: int, width: int, stride: int) -> tuple[int, int]:
    """Rows below and columns to the right of a picture that fill it up to a multiple of `stride`, the last stage's.

    Only then do the four stage maps, at 1/4 to 1/32 of the size, cover the same extent. Otherwise the decoder
    lays them on each other askew, which costs two points of mIoU on 480 x 360. (The released code resizes to a
    multiple of 32 for the same reason.)
    """
    return -height % stride, -width % stride
