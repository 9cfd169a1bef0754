"""What the names of files and folders say: picture or mask, which split, and which picture belongs to which mask."""

import re
import unicodedata
from enum import Enum
from pathlib import Path

from segnext.imageio import SUFFIXES


class Role(Enum):
    """What a file is, judged by its name."""

    IMAGE = "image"
    MASK = "mask"
    UNKNOWN = "unknown"
    OTHER = "other"  # predictions, overlays, instance masks


_IMAGE = {"image", "images", "img", "imgs", "picture", "pictures", "photo", "photos", "pic", "pics", "frame", "frames"}
_IMAGE |= {"input", "inputs", "rgb", "sat", "original", "originals", "orig", "raw", "source", "src"}
_MASK = {"mask", "masks", "label", "labels", "lbl", "lbls", "annotation", "annotations", "annot", "annots", "ann"}
_MASK |= {"anns", "gt", "gts", "truth", "groundtruth", "trimap", "trimaps", "seg", "segs", "labelled", "labeled"}
_MASK |= {"manual", "lab", "labelids", "labeltrainids", "semseg"}
_WEAK_MASK = {"segmentation", "segmentations", "semantic", "target", "targets"}
_OTHER = {"pred", "preds", "prediction", "predictions", "output", "outputs", "result", "results", "overlay", "overlays"}
_OTHER |= {"vis", "visualization", "visualisation", "instance", "instances", "instanceids", "object", "demo"}
_NEUTRAL = {"dataset", "datasets", "data", "project", "model", "models", "docs", "assets"}
# Words beside a role that carry no further meaning: leftImg8bit, gtFine, SegmentationClassRaw, mask_png, CameraRGB.
_NOISE = {"left", "bit", "fine", "coarse", "class", "jpeg", "jpg", "png", "tif", "tiff", "dir", "folder", "files"}
_NOISE |= {"camera", "ground", "color", "colour", "aug"}
_SPLITS = {"train": "train", "training": "train", "trn": "train", "tr": "train"}
_SPLITS |= {"val": "val", "valid": "val", "validation": "val", "validate": "val", "dev": "val", "eval": "val"}
_SPLITS |= {"test": "test", "testing": "test", "ts": "test", "tst": "test"}

_TOKENS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+|[^\W\d_a-zA-Z]+")
_ORDINAL = re.compile(r"\b[12](st|nd)[ _\-]+", re.IGNORECASE)  # 1st_manual and 2nd_manual are of two people
_GLUED = re.compile(r"^(train|training|valid|val|test)_?(annots?|masks?|labels?|gts?|images?|imgs?)$", re.IGNORECASE)
_STEM_MASK = re.compile(
    r"[ _.\-]*\(?(gt[ _.\-]?fine[ _.\-]?(labeltrainids|labelids|color)|label[ _.\-]?train[ _.\-]?ids|label[ _.\-]?ids"
    r"|masks?|labels?|lbl|gt|ground[ _.\-]?truth|seg|segmentation|annotation|annot|matte|manual\d*"
    r"|[12](st|nd)ho)\)?$|[ _.\-]L$|\.(ah|vk)$",
    re.IGNORECASE,
)
_STEM_IMAGE = re.compile(r"[ _.\-](leftimg8bit|images?|img|sat|rgb|raw|orig|original|input)$", re.IGNORECASE)
_STEM_PREFIX = re.compile(
    r"^(masks?|labels?|gt|seg|segmentation|annotation|images?|img|rgb|sat|input)[ _.\-]+(?=.)", re.IGNORECASE
)


def tokens(name: str) -> list[str]:
    """The words of a name in lower case: "SegmentationClass" -> segmentation, class; "trainannot" -> train, annot."""
    name = _ORDINAL.sub("", name)
    glued = _GLUED.match(name)
    if glued:
        return [part.lower() for part in glued.groups()]
    return [token.lower() for token in _TOKENS.findall(name.replace("8bit", "Bit"))]


def split_of(name: str) -> str | None:
    """Which of train, val and test a folder's or list's name says, as Training, valid and test_images do."""
    found = [_SPLITS[token] for token in tokens(name) if token in _SPLITS]
    return found[0] if found and len(found) == 1 else None


def role_of(file: Path) -> Role:
    """What the folders of `file` (relative to the data set) say that it is; the innermost word decides."""
    parts = file.parent.parts
    if any(_role_of_folder(part, weak=False) is Role.OTHER for part in parts):
        return Role.OTHER
    for depth, part in enumerate(reversed(parts)):
        role = _role_of_folder(part, weak=depth < 2)
        if role is not Role.UNKNOWN:
            return role
    return Role.UNKNOWN


def _role_of_folder(name: str, *, weak: bool) -> Role:
    words = set(tokens(name))
    if words & _NEUTRAL:
        return Role.UNKNOWN
    if words & _OTHER:
        return Role.OTHER
    if words & _MASK or (words == {"y"}) or (words - {"y"} <= set(_SPLITS) and "y" in words):
        return Role.MASK
    if weak and words & _WEAK_MASK:
        return Role.MASK
    if words & _IMAGE or ("x" in words and words - {"x"} <= set(_SPLITS)):
        return Role.IMAGE
    return Role.UNKNOWN


def place_of(file: Path, role: Role) -> tuple[str, ...]:
    """The folders of `file` without the words of its role, equal for a picture and its mask."""
    words = ((part, _without_role(part, role)) for part in file.parent.parts)
    place = ("-".join(tokens(part) if left is None else left) or ("" if tokens(part) else part) for part, left in words)
    return tuple(part for part in place if part)


def folders_of(file: Path) -> tuple[str, ...]:
    """The folders of a picture as they are written, without the words that say that it is one."""
    words = ((part, _without_role(part, Role.IMAGE)) for part in file.parent.parts)
    return tuple(name for part, left in words if (name := part if left is None else "_".join(left)))


def _without_role(part: str, role: Role) -> list[str] | None:
    """What is left of a folder's words without those of its role; None when it does not say the role."""
    if role is Role.UNKNOWN or _role_of_folder(part, weak=True) is not role:
        return None
    own = (_MASK | _WEAK_MASK | _IMAGE | {"y"}) if role is Role.MASK else (_IMAGE | {"x"})
    return [word for word in tokens(part) if word not in own and word not in _NOISE]


def stem_of(file: Path) -> str:
    """The name without its suffix, and without a picture's suffix before it ("a.jpg.png" -> "a"), in lower case.

    Accents are composed, because macOS writes them apart and other systems do not.
    """
    stem = unicodedata.normalize("NFC", file.stem)
    inner = Path(stem).suffix.lower()
    return (Path(stem).stem if inner in SUFFIXES else stem).casefold()


def is_mask_stem(stem: str) -> bool:
    """Whether a name ends as masks' names do, as in "a_mask"."""
    return bool((match := _STEM_MASK.search(stem)) and match.start() > 0)


def bare_stem(stem: str) -> str:
    """The stem without words for a picture's or a mask's role at its ends: "a_mask", "mask_a", "a_sat" -> "a"."""
    bare = _STEM_MASK.sub("", stem) or stem
    bare = _STEM_IMAGE.sub("", bare) or bare
    return _STEM_PREFIX.sub("", bare) or bare
