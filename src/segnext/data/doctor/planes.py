"""Data sets whose pixels may be of several classes: each picture's folder of masks, and what it holds."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from segnext.data.doctor.records import Image, Mask
from segnext.data.doctor.values import Values
from segnext.data.pairing import Pairing
from segnext.data.planes import read_planes
from segnext.errors import SegNextError
from segnext.labels import Labels


def pair_planes(root: Path, pictures: Iterable[Path]) -> Pairing:
    """Pair images/SPLIT/NAME.jpg with the folder masks/SPLIT/NAME; all paths are relative to `root`."""
    result = Pairing()
    files = [file for file in pictures if len(file.parts) > 2]
    for image in (file for file in files if file.parts[0] == "images"):
        folder = Path("masks", *image.parts[1:]).with_suffix("")
        if (root / folder).is_dir():
            result.pairs.append((image, folder))
        else:
            result.images.append(image)
    taken = {folder for _, folder in result.pairs}
    result.masks = sorted({file.parent for file in files if file.parts[0] == "masks"} - taken)
    return result


def read_planes_record(folder: Path, labels: Labels, image: Image) -> Mask:
    """Look into a picture's folder of masks; the values are the classes."""
    try:
        planes = read_planes(folder, labels, lambda: image.upright[::-1])
    except SegNextError as error:
        return Mask(error=str(error).removeprefix(f"{folder}/"))
    counts = {label: int((plane == 1).sum()) for label, plane in enumerate(planes)}
    counts = {label: count for label, count in counts.items() if count}
    return Mask(
        mode="L",
        size=(planes.shape[2], planes.shape[1]),
        values=Values(counts, len(counts), frozenset(counts)),
        digest=hashlib.blake2b(planes.tobytes(), digest_size=16).digest(),
    )
