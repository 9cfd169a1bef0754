"""What the names of files and folders say: picture or mask, which split, and what is left without that."""

import re
import unicodedata
from enum import Enum
from functools import lru_cache
from pathlib import Path

from segnext.pillow import SUFFIXES


class Role(Enum):
    """What a file is, judged by its name."""

    IMAGE = "image"
    MASK = "mask"
    UNKNOWN = "unknown"
    OTHER = "other"  # predictions, overlays, instance masks


_IMAGE = {"image", "images", "img", "imgs", "picture", "pictures", "photo", "photos", "frame", "frames"}
_IMAGE |= {"input", "inputs", "rgb", "sat", "original", "originals", "orig", "raw", "source", "src"}
_MASK = {"mask", "masks", "label", "labels", "lbl", "annotation", "annotations", "annot", "annots", "ann", "anns"}
_MASK |= {"gt", "gts", "truth", "groundtruth", "trimap", "trimaps", "seg", "segs", "labelled", "labeled"}
_MASK |= {"manual", "labelids", "labeltrainids", "semseg", "matte", "1stho", "ah", "vk"}
_WEAK_MASK = {"segmentation", "segmentations", "semantic", "target", "targets"}
_OTHER = {
    "pred",
    "preds",
    "predict",
    "predicted",
    "prediction",
    "predictions",
    "output",
    "outputs",
    "result",
    "results",
    "overlay",
    "overlays",
}
_OTHER |= {"vis", "visualization", "visualisation", "instance", "instances", "instanceids", "object", "demo"}
_NEUTRAL = {"dataset", "datasets", "data", "project", "model", "models", "docs", "assets"}
_SPLITS = {"train": "train", "training": "train", "trn": "train", "tr": "train"}
_SPLITS |= {"val": "val", "valid": "val", "validation": "val", "validate": "val", "dev": "val", "eval": "val"}
_SPLITS |= {"test": "test", "testing": "test", "ts": "test", "tst": "test"}

_TOKENS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+|[^\W\d_a-zA-Z]+")
_GLUED = re.compile(r"^(train|training|valid|val|test)_?(annots?|masks?|labels?|gts?|images?|imgs?)$", re.IGNORECASE)
# Words for a role at the end of a name; others that many names share are found by counting.
_STEM_MASK = re.compile(
    r"[ _.\-]*\(?(gt[ _.\-]?fine[ _.\-]?(labeltrainids|labelids|color|instanceids)|label[ _.\-]?train[ _.\-]?ids"
    r"|label[ _.\-]?ids|masks?|labels?|lbl|gt|ground[ _.\-]?truth|seg|segmentation|annotation|annot|matte|manual\d*"
    r"|[12](st|nd)ho)\)?$|[ _.\-]L$|\.(ah|vk)$",
    re.IGNORECASE,
)
_STEM_IMAGE = re.compile(r"[ _.\-](leftimg8bit|images?|img|sat|rgb|raw|orig|original|input)$", re.IGNORECASE)
_STEM_PREFIX = re.compile(
    r"^(masks?|labels?|gt|seg|segmentation|annotation|images?|img|rgb|sat|input)[ _.\-]+(?=.)", re.IGNORECASE
)


def tokens(name: str) -> list[str]:
    """The words of a name in lower case: "SegmentationClass" -> segmentation, class; "trainannot" -> train, annot."""
    glued = _GLUED.match(name)
    if glued:
        return [part.lower() for part in glued.groups()]
    return [token.lower() for token in _TOKENS.findall(name.replace("8bit", "Bit"))]


def split_of(name: str) -> str | None:
    """Which of train, val and test a folder's or list's name says, as Training, valid and test_images do."""
    found = [_SPLITS[token] for token in tokens(name) if token in _SPLITS]
    return found[0] if found and len(found) == 1 else None


@lru_cache(maxsize=1 << 16)
def role_of(name: str, *, weak: bool = True) -> Role:
    """What a folder's name says that its files are; `weak` takes words that mean masks only near them."""
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


@lru_cache(maxsize=1 << 16)
def parts_of(folder: str) -> tuple[str, str, str]:
    """A folder's name in three parts: its words, the split that it says, and its numbers: "train_images2"."""
    words = tokens(folder)
    numbers = [word for word in words if word.isdigit()]
    splits = [_SPLITS[word] for word in words if word in _SPLITS]
    kind = [word for word in words if word not in _SPLITS and not word.isdigit()]
    return " ".join(kind), "-".join(splits), "-".join(numbers) or ("" if words else folder)


def folders_of(file: Path) -> tuple[str, ...]:
    """The folders of a picture as they are written, without the words that say that it is one."""
    names = []
    for part in file.parent.parts:
        if role_of(part) is Role.IMAGE:
            kept = [word for word in tokens(part) if word in _SPLITS or word.isdigit()]
            part = "_".join(kept)
        names += [part] if part else []
    return tuple(names)


@lru_cache(maxsize=1 << 16)
def stem_of(file: Path) -> str:
    """The name without its suffix, and without a picture's suffix before it ("a.jpg.png" -> "a"), in lower case.

    Accents are composed, because macOS writes them apart and other systems do not.
    """
    stem = unicodedata.normalize("NFC", file.stem)
    inner = Path(stem).suffix.lower()
    return (Path(stem).stem if inner in SUFFIXES else stem).casefold()


def role_word(stem: str) -> tuple[str, Role]:
    """The word for a role at an end of a name, as "_mask" in "a_mask", and the role; ("", UNKNOWN) without one."""
    for pattern, role in ((_STEM_MASK, Role.MASK), (_STEM_IMAGE, Role.IMAGE), (_STEM_PREFIX, Role.UNKNOWN)):
        if (match := pattern.search(stem)) and match[0] != stem:
            word = match[0]
            known = role_of(word.strip(" _.-()")) if role is Role.UNKNOWN else role
            return word, known
    return "", Role.UNKNOWN


def bare_stem(stem: str) -> str:
    """The stem without words for a picture's or a mask's role at its ends: "a_mask", "mask_a", "a_sat" -> "a"."""
    bare = _STEM_MASK.sub("", stem) or stem
    bare = _STEM_IMAGE.sub("", bare) or bare
    return _STEM_PREFIX.sub("", bare) or bare
