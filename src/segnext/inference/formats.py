"""A result as the files that other tools read: what `segnext predict --format` writes."""

import base64
import io
import json
import os
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from segnext.choices import options, require_choice
from segnext.errors import SegNextError
from segnext.files import replacing
from segnext.inference.areas import geojson_of, outlines_of
from segnext.inference.coco import Picture, coco_of, coco_picture
from segnext.inference.kinds import COCO, Format
from segnext.inference.result import MaskKind, Result, encode_mask, write_outputs
from segnext.inference.sources import Input
from segnext.labels import Labels
from segnext.plain import to_yaml

# How the file is called that holds a picture's mask, by format.
NAMES: dict[Format, str] = {
    "png": "{}.mask.png",
    "npz": "{}.mask.npz",
    "labelme": "{}.json",
    "yolo": "labels/{}.txt",
    "geojson": "{}.geojson",
}
YOLO_NAMES = "data.yaml"
RASTERS = (".tif", ".tiff", ".jp2")  # which may say where they lie on Earth
IGNORED = "__ignore__"  # labelme's name of what is no class


def require_format(form: Format, labels: Labels, mask: MaskKind = "palette") -> None:
    """Refuse a format that is none, or that cannot hold what these weights say.

    Raises:
        SegNextError: saying so.
    """
    require_choice("format", form, options(Format))
    if mask != "palette" and form != "png":
        raise SegNextError(f"masks are written as {form}; '{mask}' is for masks as png, leave it out")
    if form not in ("png", "npz"):
        import_module("segnext.inference.rasters")  # which says what is not installed
    if labels.multi_label and form in ("yolo", "labelme"):
        raise SegNextError(
            f"these weights are multi-label, and {form} has no holes, so that classes which overlap would fill each "
            "other's; take coco, geojson, npz or png"
        )


def save(
    result: Result, form: Format, folder: Path, name: str, entry: Input, file_name: str, mask: MaskKind = "palette"
) -> tuple[dict[str, Any], Picture | None]:
    """Write a picture's mask and overlay into a folder.

    Args:
        result: of the picture.
        form: what the mask is written as.
        folder: for the outputs.
        name: of the picture's outputs.
        entry: the picture.
        file_name: how a COCO data set calls it.
        mask: of png, see `Result.save`.

    Returns:
        What was written, by kind, as paths below the folder; and what the COCO data set of all is to hold of it.

    Raises:
        SegNextError: when it cannot be written.
    """
    result.save_overlay(folder, name)
    if form == "png":
        result.save_mask(folder, name, mask)
        return result.files(name), None
    overlay = {"overlay": f"{name}.overlay.png"}
    if form == "coco":
        return {"coco": COCO, **overlay}, coco_picture(result.mask, result.labels, file_name)
    file = NAMES[form].format(name)
    write_outputs(folder, name, {file: encode(result, form, entry, (folder / file).parent)})
    return {"mask" if form == "npz" else form: file, **overlay}, None


def kept(form: Format, folder: Path, name: str) -> dict[str, Any] | None:
    """What an earlier run has left of a picture, by kind, as `save` tells it; None for nothing."""
    files = {"overlay": f"{name}.overlay.png"}
    if form in NAMES:
        files["mask" if form in ("png", "npz") else form] = NAMES[form].format(name)
    return {kind: file for kind, file in files.items() if name and (folder / file).exists()} or None


def encode(result: Result, form: Format, entry: Input, folder: Path = Path(), mask: MaskKind = "palette") -> bytes:
    """A picture's mask as the content of one file.

    Args:
        result: of the picture.
        form: what the mask is written as.
        entry: the picture.
        folder: where the file will be; labelme's says where the picture lies from there.
        mask: of png, see `Result.save`.

    Raises:
        SegNextError: for a PNG of a multi-label result, or when rasterio or shapely are not installed.
    """
    if form == "png":
        return encode_mask(result.mask_image(mask))
    if form == "npz":
        return _npz(result)
    if form == "yolo":
        return _yolo(result).encode()
    if form == "geojson":
        content = _geojson(result, entry)
    elif form == "labelme":
        content = _labelme(result, entry, folder)
    else:
        content = coco_of(result.mask, result.labels, entry.file_name)
    return (json.dumps(content) + "\n").encode()


def write_class_list(folder: Path, form: Format, labels: Labels) -> None:
    """What YOLO's numbers mean, for its tools.

    Raises:
        SegNextError: when the folder has such a file that says something else.
    """
    if form != "yolo":
        return
    file = folder / YOLO_NAMES
    text = to_yaml({"train": "images", "val": "images", "names": dict(enumerate(labels.classes))})
    if file.exists():
        if file.read_text(encoding="utf-8", errors="replace") != text:
            raise SegNextError(f"{file}: is there already and lists other classes; choose another --out")
        return
    with replacing(file) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _npz(result: Result) -> bytes:
    """numpy's: the mask, the probability of its labels to 1/2048, and the classes' names."""
    file = io.BytesIO()
    confidence = result.confidence.astype(np.float16)
    np.savez_compressed(file, mask=result.mask, confidence=confidence, classes=np.array(result.classes))
    return file.getvalue()


def _yolo(result: Result) -> str:
    """Lines of a class and the corners of an outline, as shares of width and height."""
    height, width = result.mask.shape
    lines = []
    for label, _, points in outlines_of(result.mask, result.labels):
        numbers = (points / (width, height)).ravel().tolist()
        lines.append(" ".join([str(label), *(f"{number:.9g}" for number in numbers)]) + "\n")
    return "".join(lines)


def _labelme(result: Result, entry: Input, folder: Path) -> dict[str, Any]:
    """Polygons; a picture from stdin is inside."""
    height, width = result.mask.shape
    shapes = [
        {"label": name, "points": points.tolist(), "group_id": None, "shape_type": "polygon", "flags": {}}
        for _, name, points in outlines_of(result.mask, result.labels, IGNORED)
    ]
    return {
        "version": "5.5.0",
        "flags": {},
        "shapes": shapes,
        "imagePath": _path_from(entry.file, folder) if entry.content is None else entry.name,
        "imageData": None if entry.content is None else base64.b64encode(entry.content).decode(),
        "imageHeight": height,
        "imageWidth": width,
    }


def _path_from(file: str, folder: Path) -> str:
    try:
        return Path(os.path.relpath(file, folder)).as_posix()
    except ValueError:  # on another drive
        return Path(file).absolute().as_posix()


def _geojson(result: Result, entry: Input) -> dict[str, Any]:
    """In longitude and latitude where the picture says where it lies, else in its pixels."""
    from segnext.inference.rasters.globe import to_degrees, to_ground

    crs, transform = _ground(entry, result.mask.shape[-2:])
    if crs is None:
        return result.to_geojson()
    return geojson_of(result.mask, result.labels, lambda polygon: to_degrees(to_ground(polygon, transform), crs))


def _ground(entry: Input, size: tuple[int, ...]) -> tuple[Any, Any]:
    """A picture's coordinate system and what leads to it from pixels; None where it has none."""
    if entry.content is None and Path(entry.file).suffix.lower() in RASTERS:
        from segnext.inference.rasters.source import open_raster

        with suppress(SegNextError), open_raster(entry.file) as raster:
            if raster.shape == size:
                return raster.crs, raster.transform
    return None, None
