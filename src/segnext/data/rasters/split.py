"""A data set of rasters: its splits are windows of them."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from segnext.bands import bands_from_dict
from segnext.choices import meant
from segnext.data.folder import Folder, Pair
from segnext.data.rasters.listing import BLOCK, Source, block_of, listing
from segnext.data.rasters.scene import RasterPair, Scene, opened
from segnext.documents import read_yaml
from segnext.errors import SegNextError
from segnext.preprocess import Bands

MEASURED = ("val", "test")  # how the names of splits begin from which no crops are drawn


@dataclass(frozen=True)
class Rasters(Folder):
    """A folder whose dataset.yaml lists rasters.

    Attributes:
        sources: of each split.
        block: side in pixels of the windows that rasters are read in.
    """

    sources: dict[str, tuple[Source, ...]] = field(default_factory=dict)
    block: int = BLOCK

    @classmethod
    def of(cls, folder: Folder) -> "Rasters | None":
        """A folder as rasters; None where its dataset.yaml lists none.

        Raises:
            SegNextError: when they are not listed as they should be.
        """
        file = folder.path / "dataset.yaml"
        content = read_yaml(file)
        sources = listing(content, folder.path, str(file))
        if not sources:
            return None
        if folder.labels.multi_label:
            raise SegNextError(f"{file}: is multi-label; pixels of rasters have one class each")
        bands = bands_from_dict(content, str(file))
        return cls(
            folder.path, folder.labels, bands and _with_nodata(bands, sources), sources, block_of(content, str(file))
        )

    def splits(self) -> list[str]:
        """Their names, sorted."""
        return sorted(self.sources)

    def pairs(self, split: str) -> list[Pair]:
        """Windows of a split's rasters, in their order, row by row.

        Of a split that crops are drawn from, windows begin every half side, so that each crop of up to half a side lies
        whole in one of them. In val and test splits they lie side by side, but for the last ones of rows and columns.

        Raises:
            SegNextError: when there is no such split, a file cannot be read, or nothing in it counts.
        """
        if split not in self.sources:
            raise SegNextError(f"{self.path}: no such split '{split}'; {meant(split, self.splits())}")
        step = self.block if split.startswith(MEASURED) else max(self.block // 2, 1)
        pairs = [pair for source in self.sources[split] for pair in self._windows(source, step)]
        if not pairs:
            raise SegNextError(
                f"{self.path}: nothing counts in split '{split}'; see 'inside' and 'outside' in dataset.yaml"
            )
        return pairs

    def _windows(self, source: Source, step: int) -> list[Pair]:
        scene = Scene(source, self.bands)
        mask = source.labels or source.polygons
        assert mask is not None
        return [RasterPair(source.image, mask, None, window, scene) for window in scene.windows(self.block, step)]


def _with_nodata(bands: Bands, sources: dict[str, tuple[Source, ...]]) -> Bands:
    """With the first raster's nodata value, where dataset.yaml says none."""
    if bands.nodata is not None:
        return bands
    first: Path = next(iter(sources.values()))[0].image
    with opened(first) as raster:
        value = raster.nodata
    return bands if value is None or value != value else replace(bands, nodata=float(value))
