"""The pairs of a split of rasters."""

from segnext.data.rasters.listing import Source
from segnext.data.rasters.scene import RasterPair, Scene
from segnext.errors import SegNextError
from segnext.preprocess import Bands


def raster_pairs(sources: tuple[Source, ...], bands: Bands | None, block: int, *, drawn: bool) -> list[RasterPair]:
    """Windows of the rasters, in their order, row by row.

    Args:
        sources: the rasters.
        bands: what theirs are.
        block: side of a window in pixels.
        drawn: whether crops will be drawn from them at random: windows then begin every half side, so that each crop
            of up to that size lies whole in one of them. Else every pixel is in one window, but for the last ones of rows and columns.

    Raises:
        SegNextError: see `Scene`; or when no window has anything in it.
    """
    pairs = []
    for source in sources:
        scene = Scene(source, bands)
        mask = source.labels or source.polygons
        assert mask is not None
        windows = scene.windows(block, block // 2 if drawn else block)
        pairs += [RasterPair(source.image, mask, None, window, scene) for window in windows]
    if not pairs:
        raise SegNextError(f"{sources[0].image}: nothing in it counts; see 'inside' and 'outside' in dataset.yaml")
    return pairs
