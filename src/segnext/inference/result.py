"""What the network says about one picture."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from segnext.errors import SegNextError
from segnext.files import replacing
from segnext.inference.overlay import draw_overlay
from segnext.inference.png import encode_png
from segnext.labels import Labels
from segnext.preprocess import Image
from segnext.words import percent

MaskKind = Literal["palette", "grey"]


@dataclass(frozen=True, eq=False, repr=False)
class Result:
    """One segmented picture.

    Attributes:
        image: the picture, (H, W, 3) uint8 RGB.
        mask: the label of every pixel, (H, W) uint8, at the picture's own size.
        measure_confidence: computes `confidence`, which not everyone wants and takes longer than the mask.
        labels: what the labels mean.
        seconds: time from the picture (decoded, or its path) to the mask.
        name: the file's name without suffix, "image" for pictures from memory.
    """

    image: Image
    mask: NDArray[np.uint8]
    measure_confidence: Callable[[], NDArray[np.float32]]
    labels: Labels
    seconds: float
    name: str = "image"

    def __repr__(self) -> str:
        """Size and largest classes, in a line."""
        height, width = self.mask.shape[-2:]
        largest = sorted(self.shares.items(), key=lambda item: -item[1])[:3]
        shares = ", ".join(f"{name} {percent(share)}" for name, share in largest if share > 0)
        return f"<{type(self).__name__} {self.name}: {width} x {height}, {shares or 'no class'}>"

    @property
    def classes(self) -> tuple[str, ...]:
        """Label i means `classes[i]`."""
        return self.labels.classes

    @cached_property
    def confidence(self) -> NDArray[np.float32]:
        """Softmax probability of the chosen class, (H, W) float32, 0..1; computed when it is first asked for."""
        return self.measure_confidence()

    @cached_property
    def shares(self) -> dict[str, float]:
        """Each class's share of the pixels, 0..1, in the order of the labels; 0 for those not seen."""
        counts = np.bincount(self.mask.ravel(), minlength=len(self.labels))
        return {name: int(n) / self.mask.size for name, n in zip(self.classes, counts, strict=False)}

    @cached_property
    def mean_confidence(self) -> float:
        """The mean of `confidence`, 0..1."""
        return float(self.confidence.mean(dtype=np.float64))

    def mask_image(self, mask: MaskKind = "palette") -> PIL.Image.Image:
        """The mask as an image whose pixel values are labels: indexed, the palette the classes' colours, or grey."""
        picture = PIL.Image.fromarray(self.mask)
        if mask == "grey":
            return picture
        # All 256 entries are given, because with fewer, PNGs are written with less than 8 bits per pixel.
        colors = [channel for color in self.labels.colors for channel in color]
        picture.putpalette(colors + [0] * (768 - len(colors)))
        return picture

    def mask_images(self, mask: MaskKind = "palette") -> dict[str, PIL.Image.Image]:
        """The pictures that `save` writes of the mask, by the end of their file's name."""
        return {".mask.png": self.mask_image(mask)}

    def files(self, name: str) -> dict[str, Any]:
        """What `save` writes, by kind, as paths below its folder."""
        return {"mask": f"{name}.mask.png", "overlay": f"{name}.overlay.png"}

    def overlay(self) -> PIL.Image.Image:
        """The classes painted over the picture, with a legend beside or below it; RGB."""
        return draw_overlay(self.image, self.mask, self.labels, self.shares)

    def save(self, out: Path | str, name: str | None = None, mask: MaskKind = "palette") -> None:
        """Write `NAME.mask.png` and `NAME.overlay.png` into the folder `out`, made if it is missing.

        Args:
            out: the folder.
            name: the result's own where it is None; it may have folders of its own.
            mask: "palette" for an indexed picture in the classes' colours, "grey" for programs that would turn that
                into colours, such as OpenCV's imread; the values are the labels in both.

        Raises:
            SegNextError: when they cannot be written.
        """
        folder = Path(out)
        name = self.name if name is None else name
        files = {ending: _encoded(picture) for ending, picture in self.mask_images(mask).items()}
        files[".overlay.png"] = encode_png(np.asarray(self.overlay()))
        try:
            for ending, content in files.items():
                file = folder / f"{name}{ending}"
                file.parent.mkdir(parents=True, exist_ok=True)
                with replacing(file) as temporary:
                    temporary.write_bytes(content)
        except OSError as error:
            raise SegNextError(
                f"{folder}: cannot write '{name}' ({error.strerror or error}); free space or choose another folder"
            ) from error


def _encoded(picture: PIL.Image.Image) -> bytes:
    """A mask as PNG."""
    encoded = io.BytesIO()
    picture.save(encoded, "png", compress_level=1)
    return encoded.getvalue()
