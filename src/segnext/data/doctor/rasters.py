"""What may be wrong with rasters and their labels: grids, coordinate systems, nodata, polygons that lie elsewhere."""

from collections.abc import Iterable, Iterator
from itertools import product
from typing import Any

from numpy.typing import NDArray

from segnext.data.coding import Window
from segnext.data.doctor.findings import Finding, by_severity, found
from segnext.data.rasters.listing import Source
from segnext.data.rasters.scene import Scene, class_of
from segnext.data.rasters.split import MEASURED, Rasters
from segnext.errors import SegNextError
from segnext.words import listed, percent

LOOKED_AT = 24  # windows of each raster
FEW = 0.001  # share of labelled pixels that may lie where nothing was measured


def judge_rasters(data: Rasters, splits: Iterable[str]) -> list[Finding]:
    """What is wrong with the rasters of some splits, worst first."""
    chosen = [split for split in splits if split in data.sources]
    scenes: dict[str, list[Scene]] = {split: [] for split in chosen}
    findings: list[Finding] = []
    for split in chosen:
        for source in data.sources[split]:
            try:
                scene = Scene(source, data.bands)
                scenes[split].append(scene)
                findings.extend(_judge(scene, data))
            except SegNextError as error:
                findings.append(found("raster-unreadable", (source.image.name,), problem=str(error)))
    return by_severity([*findings, *_leaks(scenes)])


def _judge(scene: Scene, data: Rasters) -> Iterator[Finding]:
    if scene.source.polygons is not None:
        yield from _polygons(scene, data)
    windows = list(scene.windows(data.block, data.block))
    if not windows:
        yield found("raster-empty", (scene.source.image.name,))
    labelled = hidden = counted = 0
    for window in windows[:: max(1, len(windows) // LOOKED_AT)]:
        drawn, mask = scene.drawn(window, data.labels), scene.mask(window, data.labels)
        labelled += int((drawn != data.labels.ignore).sum())
        hidden += int(((drawn != data.labels.ignore) & ~scene.measured(window)).sum())
        counted += int((mask != data.labels.ignore).sum())
    if hidden > FEW * labelled:
        yield found("raster-nodata-labelled", (scene.source.image.name,), share=percent(hidden / labelled))
    if windows and not counted:
        yield found("raster-unlabelled", (scene.source.image.name,))


def _polygons(scene: Scene, data: Rasters) -> Iterator[Finding]:
    source, shapes = scene.source, scene.polygons()
    assert source.polygons is not None
    if scene.crs is None:
        yield found("raster-no-crs", (source.image.name,))
    here = shapes.near(scene.area(Window(0, 0, scene.height, scene.width)))
    away = len(shapes.geometries) - len(here)
    if not len(here):
        yield found("raster-polygons-elsewhere", (source.polygons.name,), len(shapes.geometries))
    elif away:
        yield found("raster-polygons-outside", (source.polygons.name,), away, total=len(shapes.geometries))
    unknown = [str(value) for value in _values(shapes.values) if not _known(value, data, source)]
    if unknown:
        classes = ", ".join(data.labels.classes)
        yield found(
            "raster-unknown-class", (source.polygons.name,), len(unknown), values=listed(unknown), classes=classes
        )


def _values(values: NDArray[Any] | None) -> list[object]:
    return [] if values is None else sorted({*values.tolist()}, key=str)


def _known(value: object, data: Rasters, source: Source) -> bool:
    try:
        class_of(value, data.labels, source)
    except SegNextError:
        return False
    return True


def _leaks(scenes: dict[str, list[Scene]]) -> Iterator[Finding]:
    """Ground that is both trained on and measured on."""
    learnt = [scene for split, found in scenes.items() if not split.startswith(MEASURED) for scene in found]
    measured = [scene for split, found in scenes.items() if split.startswith(MEASURED) for scene in found]
    names = [one.source.image.name for one, other in product(learnt, measured) if one.overlaps(other)]
    if names:
        yield found("raster-leakage", tuple(names))
