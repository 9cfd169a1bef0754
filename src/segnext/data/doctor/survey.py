"""What a folder holds: its pairs, their splits, and whether it is laid out as a data set of ours."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from segnext.data.coding import Coding
from segnext.data.doctor.planes import pair_planes
from segnext.data.doctor.tree import Tree, walk
from segnext.data.folder import Folder
from segnext.data.formats.public.layout import Layout
from segnext.data.names import split_of
from segnext.data.pairing import Pairing, mask_likeness, pair, require_some
from segnext.data.split_lists import SplitList, find_lists
from segnext.errors import SegNextError
from segnext.files import beside
from segnext.labels import Labels
from segnext.preprocess import Bands


@dataclass(frozen=True)
class Item:
    """A picture, its mask, the splits it is in, and what the mask's pixels mean where they are not labels.

    Paths are relative to the data set's folder.
    """

    image: Path
    mask: Path
    splits: tuple[str, ...] = ()
    coding: Coding | None = None


@dataclass
class Survey:
    """A folder with its files paired.

    Attributes:
        root: the folder.
        labels: of its dataset.yaml, or None.
        labels_error: what is wrong with the dataset.yaml, or None.
        ready: whether it is laid out as images/SPLIT/** and masks/SPLIT/**, so that training reads it.
        items: the pairs.
        tree: all its files.
        pairing: how the pictures were paired, and those that were not.
        bands: those that dataset.yaml names, or None.
        lists: each list of names that gives a split.
        in_place: whether it is a public data set in its original layout, which training reads too.
        images: where the pictures were said to be, or None.
        masks: where the masks were said to be, or None.
    """

    root: Path
    labels: Labels | None
    labels_error: str | None
    ready: bool
    items: list[Item]
    tree: Tree
    pairing: Pairing
    bands: Bands | None = None
    lists: list[SplitList] = field(default_factory=list)
    in_place: bool = False
    images: str | None = None
    masks: str | None = None

    @property
    def chosen_masks(self) -> str | None:
        """What `--masks` has to say so that these masks are taken; None where it need not be said."""
        choices = self.pairing.choices
        return self.masks or (choices[0][0].rstrip("/") if choices else None)

    def pictures(self) -> list[PurePosixPath]:
        """The pictures, relative to images/ where they are there."""
        return [PurePosixPath(*item.image.parts[self.ready :]) for item in self.items]

    def splits(self) -> dict[str, list[int]]:
        """The positions in `items` of every split's pairs, train first; "" for pairs in none."""
        found: dict[str, list[int]] = defaultdict(list)
        for index, item in enumerate(self.items):
            for split in item.splits or ("",):
                found[split].append(index)
        order = ("train", "val", "test")
        return dict(sorted(found.items(), key=lambda entry: (_rank(entry[0], order), entry[0])))


def survey(
    root: Path, splits: Iterable[str] | None = None, images: str | None = None, masks: str | None = None
) -> Survey:
    """Look through `root` and pair what it holds, or only images/SPLIT and masks/SPLIT of `splits`.

    `images` and `masks` say where these are, where names do not tell.

    Raises:
        SegNextError: when there is no such folder.
    """
    if not root.is_dir():
        raise SegNextError(
            f"{root}: no such folder{beside(root)}; give the one that holds the pictures and their masks"
        )
    folder, problem = _folder(root)
    labels, bands = (folder.labels, folder.bands) if folder else (None, None)
    tree = walk(root)
    files = [file for file in tree.pictures if labels is None or file.parts[0] in ("images", "masks")]
    if splits is not None:
        files = [file for file in files if len(file.parts) > 2 and file.parts[1] in set(splits)]
    elif not any(file.parts[0] == "images" for file in files):
        files = tree.pictures
    require_some(root, files, images, masks)
    multi_label = labels is not None and labels.multi_label
    pairing = pair_planes(root, files) if multi_label else pair(files, images, masks, mask_likeness(root))
    ready = _is_ready(pairing)
    result = Survey(root, labels, problem, ready, [], tree, pairing, bands, images=images, masks=masks)
    lists = {} if ready or any(_split_by_folder(image, ready) for image, _ in pairing.pairs) else _by_lists(result)
    for image, mask in pairing.pairs:
        by_folder = _split_by_folder(image, ready)
        result.items.append(Item(image, mask, (by_folder,) if by_folder else tuple(lists.get(image, ()))))
    return result


def survey_layout(data: Layout, splits: Iterable[str] | None = None) -> Survey:
    """The pairs of a public data set, or of some of its splits; a picture in several counts for the first.

    Pictures that are cut into tiles are whole here.

    Raises:
        SegNextError: when files are missing.
    """
    items: dict[Path, Item] = {}
    for split in data.splits() if splits is None else splits:
        for entry in data.whole(split):
            image, mask = entry.image.relative_to(data.path), entry.mask.relative_to(data.path)
            items.setdefault(image, Item(image, mask, (split,), entry.coding))
    return Survey(data.path, data.labels, None, False, list(items.values()), Tree(data.path), Pairing(), in_place=True)


def _folder(root: Path) -> tuple[Folder | None, str | None]:
    if not (root / "dataset.yaml").is_file():
        return None, None
    try:
        return Folder.open(root), None
    except SegNextError as error:
        return None, str(error)


def _is_ready(pairing: Pairing) -> bool:
    """Whether every picture, paired or not, lies in images/SPLIT/ and most masks where they are looked for."""
    images = [image for image, _ in pairing.pairs] + pairing.images
    if not images or not all(len(image.parts) > 2 and image.parts[0] == "images" for image in images):
        return False
    if not any(split_of(image.parts[1]) for image in images):  # folders of classes, scenes, ...
        return False
    return all(mask.parts[0] == "masks" and len(mask.parts) > 2 for _, mask in pairing.pairs)


def expected_mask(image: Path) -> Path:
    """Where training looks for the mask of images/SPLIT/NAME."""
    return Path("masks", *image.parts[1:]).with_suffix(".png")


def _split_by_folder(image: Path, ready: bool) -> str | None:
    if ready:
        return image.parts[1]
    return next((part for part in image.parent.parts if split_of(part)), None)


def _by_lists(result: Survey) -> dict[Path, list[str]]:
    """The splits of each picture that lists such as ImageSets/Segmentation/train.txt name."""
    pictures = [image for image, _ in result.pairing.pairs] + result.pairing.images
    found: dict[Path, list[str]] = defaultdict(list)
    result.lists = lists = find_lists(result.root, result.tree.others, pictures)
    for entry in lists:
        for picture in entry.found:
            found[picture].append(entry.split)
    trained = {entry.folder for entry in lists if entry.split == "train"}
    for folder in {entry.folder for entry in lists} - trained:  # what is in no list is meant for training
        for picture in [picture for picture in pictures if picture.is_relative_to(folder)]:
            found[picture] = found[picture] or ["train"]
    return found


def _rank(name: str, order: tuple[str, ...]) -> int:
    kind = split_of(name)
    return order.index(kind) if kind in order else len(order)
