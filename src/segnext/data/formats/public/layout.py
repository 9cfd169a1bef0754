"""What every original layout has in common: splits, and pairs found by name."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from segnext.data.coding import Coding
from segnext.data.folder import Pair
from segnext.data.formats.public.tiles import tiles
from segnext.errors import SegNextError
from segnext.files import beside, walk
from segnext.labels import Labels
from segnext.pillow import SUFFIXES


@dataclass(frozen=True)
class Layout:
    """A public data set in its original folders; used as a `Folder` is, or imported.

    Attributes:
        path: its folder.
        labels: what the labels mean that its pairs' masks are decoded to.
        found: lists the pairs of each split that is there: whole pictures, and masks that may be missing.
        cut: side and stride of the tiles that pictures are cut into where they are far larger than a crop.
        bands: none have names; they are read as pictures.
    """

    path: Path
    labels: Labels
    found: Mapping[str, Callable[[], list[Pair]]]
    cut: tuple[int, int] | None = None
    bands: None = None

    def splits(self) -> list[str]:
        """Names of the splits that are there."""
        return list(self.found)

    def whole(self, split: str) -> list[Pair]:
        """The pictures of a split with their masks, sorted by path, none of them cut.

        Raises:
            SegNextError: when the split is missing or empty, or a picture has no mask.
        """
        if split not in self.found:
            raise SegNextError(
                f"{self.path}: has no split '{split}'; the splits found in it are: {', '.join(self.found) or 'none'}"
            )
        pairs = self.found[split]()
        if not pairs:
            raise SegNextError(f"{self.path}: there is no picture in its split '{split}'; is the download complete?")
        return _complete(pairs)

    def pairs(self, split: str) -> list[Pair]:
        """The same, cut into tiles where the data set's pictures are."""
        pairs = self.whole(split)
        return pairs if self.cut is None else tiles(pairs, *self.cut)


def find_root(path: Path, name: str, expected: str, required: Sequence[str], inside: Sequence[str] = ()) -> Path:
    """The folder that holds one of `required`: `path`, or one of `inside` below it.

    Args:
        path: what the user gave.
        name: of the data set.
        expected: its layout in words, for the error.
        required: folders, any one of which tells the layout.
        inside: folders in which it lies when unpacked.

    Raises:
        SegNextError: when there is none.
    """
    if not path.is_dir():
        raise SegNextError(f"{path}: no such folder{beside(path)}; give the one that holds {name}: {expected}")
    for root in (path, *(path / folder for folder in inside)):
        if any((root / folder).is_dir() for folder in required):
            return root
    raise SegNextError(f"{path}: is not laid out as {name}; expected in it: {expected}")


def paired(
    images: Path,
    masks: Path,
    coding: Coding,
    ending: str = "",
    mask_ending: str = ".png",
    keep: Callable[[str], bool] = lambda name: True,
) -> list[Pair]:
    """The pictures below `images`, sorted, each with the mask of the same path below `masks`.

    Args:
        images: folder of the pictures.
        masks: folder of the masks.
        coding: of the masks.
        ending: of the pictures' stems; others are left out.
        mask_ending: what stands in its and the suffix's place in the names of masks.
        keep: whether a picture, by its name without ending and suffix, belongs to the split.
    """
    pairs = []
    for image in walk(images):
        if image.suffix.lower() in SUFFIXES and image.stem.endswith(ending):
            name = image.stem.removesuffix(ending)
            if keep(name):
                pairs.append(Pair(image, masks / image.parent.relative_to(images) / (name + mask_ending), coding))
    return pairs


def _complete(pairs: list[Pair]) -> list[Pair]:
    """The pairs themselves, all of whose files are there.

    Raises:
        SegNextError: when one is not.
    """
    missing = [pair for pair in pairs if not pair.mask.is_file()]
    if missing:
        raise SegNextError(
            f"{missing[0].image}: has no mask {missing[0].mask} ({len(missing)} of {len(pairs)} pictures of the split "
            "have none); complete the download"
        )
    if unseen := [pair.image for pair in pairs if not pair.image.is_file()]:
        raise SegNextError(
            f"{unseen[0]}: is listed in the split, but not there ({len(unseen)} of {len(pairs)} are not); complete the "
            "download"
        )
    return pairs


def read_names(file: Path) -> list[str]:
    """The names in a split's list, one on each line; of paths, and of pairs of them, the first one's stem."""
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise SegNextError(f"{file}: is not a text file; it lists the pictures of a split, one on each line") from error
    return [Path(line.split()[0]).stem for line in lines if line.strip()]
