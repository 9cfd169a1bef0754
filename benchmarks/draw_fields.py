"""Draw a data set of 4-band 16-bit TIFFs in which only the near infrared tells two classes apart.

python benchmarks/draw_fields.py fields        # fields/dataset.yaml, images/train, images/val, masks/...

Seen from above: soil, roads, meadows, and artificial turf, which has the colours and the texture of meadows and differs
in the near infrared alone, where chlorophyll reflects and plastic does not. Values are reflectance times 10,000, as
satellites deliver it; 0 is "not measured", at the edge of some pictures.
"""

import argparse
import warnings
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import rasterio
from numpy.typing import NDArray

SIDE = 192
PICTURES = {"train": 160, "val": 40}
CLASSES = ("soil", "road", "meadow", "turf")
# Reflectance in red, green, blue and near infrared.
SPECTRA = np.array(
    [[0.22, 0.17, 0.12, 0.30], [0.13, 0.13, 0.13, 0.15], [0.06, 0.11, 0.05, 0.42], [0.06, 0.11, 0.05, 0.12]]
)
YAML = """name: fields
classes:
  - {name: soil, color: [170, 120, 70]}
  - {name: road, color: [90, 90, 100]}
  - {name: meadow, color: [40, 170, 60]}
  - {name: turf, color: [230, 80, 200]}
ignore: 255
bands: [red, green, blue, nir]
nodata: 0
"""

Array = NDArray[np.float32]


def main() -> None:
    """Write the data set."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path, help="where to write it")
    folder = parser.parse_args().folder
    random = np.random.default_rng(0)
    for split, count in PICTURES.items():
        for part in ("images", "masks"):
            (folder / part / split).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            values, mask = draw(random)
            write_tiff(folder / f"images/{split}/{number:03}.tif", values)
            PIL.Image.fromarray(mask).save(folder / f"masks/{split}/{number:03}.png")
    (folder / "dataset.yaml").write_text(YAML, encoding="utf-8")


def draw(random: np.random.Generator) -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
    """A picture, (SIDE, SIDE, 4) uint16, and its labels."""
    mask = parcels(random)
    for _ in range(random.integers(1, 4)):
        ends = random.integers(-20, SIDE + 20, (2, 2))
        cv2.line(mask, ends[0].tolist(), ends[1].tolist(), 1, int(random.integers(3, 8)))
    light = 1 + 0.25 * smooth(random, 60)[..., None]  # clouds and slopes dim all bands alike
    grown = 1 + 0.30 * smooth(random, 6)[..., None]  # tufts
    reflectance = SPECTRA[mask] * light * np.where(mask[..., None] >= 2, grown, 1.0)
    reflectance = cv2.GaussianBlur(reflectance, (0, 0), 0.8) + random.normal(0, 0.006, (SIDE, SIDE, 4))
    values = np.clip(np.rint(10_000 * reflectance), 1, 65_535).astype(np.uint16)
    if random.random() < 0.25:  # the edge of the swath
        columns = np.arange(SIDE)[:, None] * random.uniform(-0.3, 0.3) + random.uniform(5, 40)
        outside = np.arange(SIDE)[None] < columns
        values[outside] = 0
        mask[outside] = 255
    return values, mask


def parcels(random: np.random.Generator) -> NDArray[np.uint8]:
    """Parcels of soil, meadow and turf with crooked borders."""
    count = int(random.integers(10, 25))
    seeds, kinds = random.uniform(0, SIDE, (count, 2)), random.choice([0, 2, 3], count)
    rows, columns = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    rows, columns = rows + 4 * smooth(random, 10), columns + 4 * smooth(random, 10)
    distance = (rows[..., None] - seeds[:, 0]) ** 2 + (columns[..., None] - seeds[:, 1]) ** 2
    return np.asarray(kinds[distance.argmin(2)], np.uint8)


def smooth(random: np.random.Generator, scale: float) -> Array:
    """Noise without detail finer than `scale` pixels, of standard deviation 1."""
    noise = cv2.GaussianBlur(random.normal(size=(SIDE, SIDE)).astype(np.float32), (0, 0), scale)
    return np.asarray((noise - noise.mean()) / noise.std(), np.float32)


def write_tiff(path: Path, values: NDArray[np.uint16]) -> None:
    """Write (H, W, bands) as a TIFF whose nodata value is 0."""
    height, width, count = values.shape
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the pictures lie nowhere on earth
        with rasterio.open(
            path,
            "w",
            driver="GTiff",
            height=height,
            width=width,
            count=count,
            dtype="uint16",
            nodata=0,
            compress="deflate",
        ) as raster:
            raster.write(np.ascontiguousarray(values.transpose(2, 0, 1)))


if __name__ == "__main__":
    main()
