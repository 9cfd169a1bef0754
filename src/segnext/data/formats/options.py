"""The source formats, and what may be asked of an import. Light: the command line's parsing needs it."""

from dataclasses import dataclass
from pathlib import Path

from segnext.data.formats.public import FORMATS as PUBLIC
from segnext.labels import Color

_FOLDERS = ("images", "masks")
_CLASSES = ("classes", "like")
_SHAPES = (*_CLASSES, "background", "others", "rename")


@dataclass(frozen=True)
class Format:
    """A source format: one line for people, and the names of the options that mean something for it."""

    does: str
    options: tuple[str, ...] = ()


FORMATS: dict[str, Format] = {
    "colors": Format(
        "masks whose colours are the classes: RGB, RGBA or palette pictures",
        (*_FOLDERS, *_CLASSES, "ignore_colors", "tolerance", "others"),
    ),
    "binary": Format("masks of 0 and 255", (*_FOLDERS, "names", "threshold", "tolerance", "others", "invert")),
    "objects": Format(
        "several masks of a picture: of objects, classes or people", (*_FOLDERS, "names", "merge", "background")
    ),
    "text": Format(
        "matrices of labels: text files or numpy's",
        (*_FOLDERS, *_CLASSES, "names", "mapping", "offset", "offset_in", "others", "invert"),
    ),
    "labels": Format(
        "masks of labels, to be shifted or mapped",
        (*_FOLDERS, *_CLASSES, "names", "mapping", "offset", "offset_in", "others", "invert"),
    ),
    "coco": Format(
        "COCO annotations: polygons and RLE (needs segnext[coco])",
        ("images", *_SHAPES),
    ),
    "labelme": Format("labelme JSON files", _SHAPES),
    "cvat": Format("CVAT's XML ('CVAT for images')", ("images", *_SHAPES)),
    "labelstudio": Format("Label Studio's JSON: brushes, polygons, rectangles", ("images", *_SHAPES)),
    "yolo": Format("YOLO's polygons: images, labels/*.txt, data.yaml", _SHAPES),
    "supervisely": Format("Supervisely's projects: img, ann/*.json", _SHAPES),
    "geojson": Format("GeoJSON polygons over georeferenced rasters (needs segnext[raster])", ("images", *_SHAPES)),
    "via": Format("VGG Image Annotator's JSON", ("images", *_SHAPES)),
    "voc": Format(
        "Pascal VOC: JPEGImages, SegmentationClass (of labelme SegmentationClassPNG), ImageSets", (*_FOLDERS, *_CLASSES)
    ),
    **{name: Format("the public data set in its original layout") for name in PUBLIC if name != "voc"},
}


@dataclass(frozen=True)
class Options:
    """What to import and how. Which fields matter for which format, `FORMATS` says.

    Attributes:
        source: folder (for COCO also a JSON file) that is read and never written to.
        split_from: "auto" for the source's own split folders or lists, "none" for one split `train`, or a folder
            with lists train.txt, val.txt, ...
        exif: what masks of EXIF-rotated pictures are drawn on where their size does not tell: "upright", "stored", or
            "auto" to refuse them.
        resize_masks: "nearest" for masks of their picture's shape but another size, "refuse" for none.
        link: hard links to the pictures instead of copies.
        bands: names of the pictures' bands, for dataset.yaml; None for those of `classes`, if any.
        nodata: value in the pictures that stands for "not measured", for dataset.yaml.
        images: folder of the pictures in `source`; None to find it.
        masks: folder of the masks in `source`; None to find it.
        classes: a dataset.yaml or an annotation tool's file with the class list, or "derive"; None for the format's
            own default.
        like: name of a known label set.
        names: class names.
        ignore_colors: colours that become the ignore label.
        tolerance: largest distance of a value from its class's own: Euclidean in 8-bit RGB, or in grey levels.
        others: "refuse" masks with values, or annotations, that no class claims, or "ignore" those pixels.
        threshold: smallest value of the second class of binary masks.
        mapping: label in the source -> label; the key None stands for all labels that are not named.
        offset: what to add to every label; what falls below 0 is ignored.
        offset_in: names of the masks, with or without folders and suffix, that `offset` is for; () for all.
        background: class of the pixels in no annotation; "ignore" to ignore them.
        rename: name of annotations -> name of their class.
        merge: what becomes of several masks of a picture: "union" of all, "order" in which classes lie on each other,
            "vote" of people, "multi-label"; None for "order" where masks name classes, else "union".
        invert: names of masks, with or without folders and suffix, in which the two classes are exchanged.
    """

    source: Path
    split_from: str = "auto"
    exif: str = "auto"
    resize_masks: str = "refuse"
    link: bool = False
    bands: tuple[str, ...] | None = None
    nodata: float | None = None
    images: str | None = None
    masks: str | None = None
    classes: str | None = None
    like: str | None = None
    names: tuple[str, ...] | None = None
    ignore_colors: tuple[Color, ...] = ()
    tolerance: float | None = None
    others: str = "refuse"
    threshold: int = 128
    mapping: tuple[tuple[int | None, int], ...] = ()
    offset: int = 0
    offset_in: tuple[str, ...] = ()
    background: str = "background"
    rename: tuple[tuple[str, str], ...] = ()
    merge: str | None = None
    invert: tuple[str, ...] = ()
