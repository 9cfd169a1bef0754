"""What the network says about one picture."""

import base64
import errno
import html
import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from segnext.choices import options, require_choice
from segnext.errors import NoRoomError, SegNextError
from segnext.files import replacing
from segnext.inference.areas import Area, areas_of, geojson_of
from segnext.inference.coco import coco_of
from segnext.inference.overlay import draw_overlay
from segnext.inference.png import encode_png
from segnext.labels import Labels
from segnext.painting import indexed, palette
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
        frame: of a video, its number from 0; else None.
        time: of a video's frame, seconds from the beginning; else None.
    """

    image: Image
    mask: NDArray[np.uint8]
    measure_confidence: Callable[[], NDArray[np.float32]]
    labels: Labels
    seconds: float
    name: str = "image"
    frame: int | None = None
    time: float | None = None

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
        """Softmax probability of the chosen class, (H, W) float32, 0..1; computed when it is first asked for.

        NaN everywhere where the weights are an exported file that gives labels alone.
        """
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
        require_choice("mask", mask, options(MaskKind))
        return PIL.Image.fromarray(self.mask) if mask == "grey" else indexed(self.mask, palette(self.labels))

    def mask_images(self, mask: MaskKind = "palette") -> dict[str, PIL.Image.Image]:
        """The pictures that `save` writes of the mask, by the end of their file's name."""
        return {".mask.png": self.mask_image(mask)}

    def files(self, name: str) -> dict[str, Any]:
        """What `save` writes, by kind, as paths below its folder."""
        return {"mask": f"{name}.mask.png", "overlay": f"{name}.overlay.png"}

    def overlay(self) -> PIL.Image.Image:
        """The classes painted over the picture, with a legend beside or below it; RGB."""
        return draw_overlay(self.image, self.mask, self.labels, self.shares)

    def crop(self, name: str) -> PIL.Image.Image:
        """The picture where a class is, cut to its extent, transparent elsewhere; RGBA.

        Raises:
            SegNextError: when there is no such class, or it is nowhere in the picture.
        """
        require_choice("the class", name, self.classes)
        inside = self.where(self.classes.index(name))
        rows, columns = (np.flatnonzero(inside.any(axis)) for axis in (1, 0))
        if not len(rows):
            raise SegNextError(f"{name} is nowhere in {self.name}")
        window = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        alpha = inside[window].astype(np.uint8) * 255
        return PIL.Image.fromarray(np.dstack([self.image[window], alpha]))

    def where(self, label: int) -> NDArray[np.bool_]:
        """The pixels of a class, (H, W)."""
        where: NDArray[np.bool_] = self.mask == label
        return where

    def plot(self, axes: Any = None) -> Any:
        """Draw the overlay into matplotlib axes, new ones unless they are given; these axes."""
        if axes is None:
            import matplotlib.pyplot as plt

            axes = plt.subplots(layout="constrained")[1]
        axes.imshow(self.overlay())
        axes.set_title(self.name)
        axes.axis("off")
        return axes

    def to_polygons(self) -> list[Area]:
        """The connected areas of every class, along the pixels' edges; see `areas.Area`.

        Raises:
            SegNextError: when rasterio or shapely are not installed: `pip install 'segnext[raster]'`.
        """
        return list(areas_of(self.mask, self.labels))

    def to_geojson(self) -> dict[str, Any]:
        """The same as a GeoJSON FeatureCollection, in the picture's pixels."""
        return geojson_of(self.mask, self.labels)

    def to_coco(self, file_name: str | None = None) -> dict[str, Any]:
        """The same as a COCO data set of one picture, `file_name`, by default the result's name with .png."""
        return coco_of(self.mask, self.labels, file_name or f"{self.name}.png")

    def _repr_png_(self) -> bytes:
        """What a notebook shows: the overlay with its legend."""
        return encode_png(np.asarray(self.overlay()))

    def _repr_html_(self) -> str:
        """What a notebook shows: the overlay, and the classes' shares."""
        picture = base64.b64encode(self._repr_png_()).decode()
        rows = "".join(
            f"<tr><td>{html.escape(name)}</td><td>{percent(share)}</td></tr>"
            for name, share in sorted(self.shares.items(), key=lambda item: -item[1])
            if share > 0
        )
        title = html.escape(repr(self).strip("<>"))
        return f'<p>{title}</p><img src="data:image/png;base64,{picture}"><table>{rows}</table>'

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
        self.save_mask(folder, name, mask)
        self.save_overlay(folder, name)

    def save_overlay(self, folder: Path, name: str) -> None:
        """Write `NAME.overlay.png`."""
        write_outputs(folder, name, {f"{name}.overlay.png": encode_png(np.asarray(self.overlay()))})

    def save_mask(self, folder: Path, name: str, mask: MaskKind = "palette") -> None:
        """The same without the overlay."""
        pictures = self.mask_images(mask).items()
        write_outputs(folder, name, {f"{name}{ending}": encode_mask(picture) for ending, picture in pictures})


def write_outputs(folder: Path, name: str, files: dict[str, bytes]) -> None:
    """Write files, named by their paths below `folder`, of the picture `name`.

    Raises:
        SegNextError: when they cannot be written.
    """
    try:
        for path, content in files.items():
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            with replacing(file) as temporary:
                temporary.write_bytes(content)
    except OSError as error:
        kind = NoRoomError if error.errno in (errno.ENOSPC, errno.EDQUOT) else SegNextError
        raise kind(
            f"{folder}: cannot write '{name}' ({error.strerror or error}); free space or choose another folder"
        ) from error


def encode_mask(picture: PIL.Image.Image) -> bytes:
    """A mask as PNG."""
    encoded = io.BytesIO()
    picture.save(encoded, "png", compress_level=1)
    return encoded.getvalue()
