"""The contact sheet: masks over pictures, how often classes occur, sizes and shapes; a PNG or one HTML page."""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from math import ceil
from pathlib import Path

import numpy as np
import PIL.Image
from matplotlib.figure import FigureBase
from numpy.typing import NDArray

from segnext.bands import view_file
from segnext.data.doctor.charts import chart_height, draw_classes, draw_sizes, mask_colors
from segnext.data.doctor.check import Diagnosis
from segnext.data.doctor.encoding import is_color
from segnext.data.doctor.findings import Severity
from segnext.data.doctor.records import PairRecord
from segnext.data.doctor.survey import Item
from segnext.data.doctor.verdict import overview, verdict
from segnext.data.planes import read_planes
from segnext.errors import SegNextError
from segnext.figures import drawing
from segnext.imageio import read_image
from segnext.pages import data_uri, jpeg, write_page
from segnext.painting import mix, shrink_mask
from segnext.pillow import open_picture
from segnext.words import printable

FLAGGED, SPREAD = 12, 18  # pairs shown because of a finding, and evenly over the splits
THUMB = (300, 225)  # width and height that a thumbnail fits in
COLUMNS = 4
GAP = 6  # pixels between two copies
DPI = 100
WIDTH = 6.4  # inches of a chart; a sheet is two wide
INKS = {Severity.ERROR: "#be1e1e", Severity.WARNING: "#b06a00", Severity.NOTE: "#1464aa"}

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Thumb:
    """A pair on the sheet: the picture, and with its mask over it, both (H, W, 3) uint8, and what to say of it."""

    picture: Picture
    overlay: Picture
    name: str
    remark: str


def write_sheet(report: Diagnosis, path: Path) -> None:
    """Write the sheet, a page or a picture by the suffix .html or .png.

    Raises:
        SegNextError: when the file cannot be written.
    """
    thumbs = [thumb for index, remark in _chosen(report) if (thumb := _thumb(report, index, remark))]
    copies = [*_copies(report)]
    try:
        (_page if path.suffix.lower() == ".html" else _picture)(report, thumbs, copies, path)
    except OSError as error:
        raise SegNextError(f"{path}: cannot be written ({error.strerror}); choose another --sheet") from error


def _chosen(report: Diagnosis) -> list[tuple[int, str]]:
    """Pairs to show: examples of findings first, then some of every split."""
    items = report.case.survey.items
    index_of = {printable(file): index for index, item in enumerate(items) for file in (item.image, item.mask)}
    remarks: dict[int, str] = {}
    for finding in report.findings:
        if finding.count == len(items):  # true of every pair, so of those chosen evenly too
            continue
        for line in finding.files:
            words = (line, *line.split(" = "), line.rsplit(" (", 1)[0])
            index = next((index_of[word] for word in words if word in index_of), None)
            if index is not None and (index in remarks or len(remarks) < FLAGGED):
                remarks[index] = f"{remarks[index]}, {finding.code}" if index in remarks else finding.code
    splits = report.case.survey.splits().values()
    for indices in splits:
        number = ceil(SPREAD / max(len(splits), 1))
        for index in indices[:: max(1, -(-len(indices) // number))]:
            remarks.setdefault(index, "")
    return list(remarks.items())


def _copies(report: Diagnosis) -> Iterator[Thumb]:
    """The examples of copies that findings name, "A = B", both pictures side by side."""
    index_of = {printable(item.image): index for index, item in enumerate(report.case.survey.items)}
    for finding in report.findings:
        for line in finding.files:
            first, equals, second = line.partition(" = ")
            both = [index_of.get(first), index_of.get(second) or index_of.get(second.rpartition(" (")[0])]
            thumbs = [thumb for index in both if index is not None and (thumb := _thumb(report, index, ""))]
            if equals and len(thumbs) == 2:
                one, two = thumbs
                picture, overlay = _side_by_side(one.picture, two.picture), _side_by_side(one.overlay, two.overlay)
                yield Thumb(picture, overlay, line, finding.code)


def _side_by_side(first: Picture, second: Picture) -> Picture:
    """Two pictures (H x W x 3) on white, with a gap between them."""
    height = max(len(first), len(second))
    whole = np.full((height, first.shape[1] + GAP + second.shape[1], 3), 255, np.uint8)
    whole[: len(first), : first.shape[1]] = first
    whole[: len(second), first.shape[1] + GAP :] = second
    return whole


def _thumb(report: Diagnosis, index: int, remark: str) -> Thumb | None:
    item, record = report.case.survey.items[index], report.case.records[index]
    root, bands = report.case.survey.root, report.case.survey.bands
    try:
        path = root / item.image
        picture = PIL.Image.fromarray(read_image(path) if bands is None else view_file(path, bands))
    except SegNextError:
        return None
    picture.thumbnail(THUMB)
    plain = np.asarray(picture)
    if report.case.multi_label:
        colors = None if record.mask.values is None else _planes_painted(report, root / item.mask, plain)
    else:
        colors = _painted(report, item, record, picture.size)
    overlay = plain if colors is None else (0.5 * plain + 0.5 * colors).astype(np.uint8)
    return Thumb(plain, overlay, printable(item.image), remark)


def _planes_painted(report: Diagnosis, folder: Path, picture: Picture) -> Picture:
    """The picture (H x W x 3) with every class's masks in its colour; where several are, these are mixed."""
    labels = report.case.labels
    assert labels is not None
    planes = read_planes(folder, labels, lambda: picture.shape[:2])
    colors, count = mix(shrink_mask(planes, *picture.shape[:2]), labels)
    return np.where(count > 0, colors, picture).astype(np.uint8)


def _painted(report: Diagnosis, item: Item, record: PairRecord, size: tuple[int, int]) -> Picture | None:
    """The mask in colours at the thumbnail's size, or None when it cannot be read."""
    if record.mask.error or record.mask.values is None:
        return None
    path = report.case.survey.root / item.mask
    if item.coding is not None:
        labels = PIL.Image.fromarray(item.coding.decode(path)).resize(size, PIL.Image.Resampling.NEAREST)
        return np.asarray(mask_colors(report)[np.asarray(labels)])
    with open_picture(path) as mask:
        if is_color(record.mask) or (mask.mode == "P" and report.encoding.kind == "colors"):
            return np.asarray(mask.convert("RGB").resize(size, PIL.Image.Resampling.NEAREST))
        plain = mask.convert("L") if mask.mode not in ("L", "P", "1", "F") and not mask.mode.startswith("I") else mask
        values = np.asarray(plain.resize(size, PIL.Image.Resampling.NEAREST)).astype(np.int64)
    return mask_colors(report)[np.clip(values, 0, 255)]


def _page(report: Diagnosis, thumbs: list[Thumb], copies: list[Thumb], path: Path) -> None:
    """One page that needs no other file."""

    def chart(draw: Callable[[FigureBase, Diagnosis], None], height: float) -> str:
        buffer = io.BytesIO()
        with drawing(buffer, (WIDTH, height), DPI) as figure:
            draw(figure, report)
        return data_uri(buffer.getvalue(), "png")

    write_page(
        path,
        "sheet.html",
        {"jpeg": jpeg},
        title=printable(f"{report.case.survey.root.resolve().name}: data check"),
        overview=overview(report),
        verdict=verdict(report.findings),
        findings=report.findings,
        charts=[chart(draw_classes, chart_height(report)), chart(draw_sizes, 3.6)],
        thumbs=thumbs,
        copies=copies,
    )


def _picture(report: Diagnosis, thumbs: list[Thumb], copies: list[Thumb], path: Path) -> None:
    """What was found, charts, and thumbnails below, as one picture."""
    lines = [(line, "#282828") for line in (*overview(report), verdict(report.findings))]
    lines += [(f"{found.severity.name.lower()}: {found.title}", INKS[found.severity]) for found in report.findings]
    thumbs = [*copies, *thumbs]
    rows = max(1, -(-len(thumbs) // COLUMNS))
    heights = (0.2 * len(lines) + 0.2, chart_height(report), 2.7 * rows)
    with drawing(path, (2 * WIDTH, sum(heights)), DPI) as figure:
        parts = figure.add_gridspec(3, 2, height_ratios=heights)
        top, bottom = figure.add_subfigure(parts[0, :]), figure.add_subfigure(parts[2, :])
        for place, (line, ink) in enumerate(lines):
            top.text(0.01, 1 - (place + 0.7) / (len(lines) + 0.4), _short(line, 160), color=ink, fontsize=10)
        draw_classes(figure.add_subfigure(parts[1, 0]), report)
        draw_sizes(figure.add_subfigure(parts[1, 1]), report)
        for axes, thumb in zip_longest(bottom.subplots(rows, COLUMNS, squeeze=False).flat, thumbs):
            axes.axis("off")
            if thumb is not None:
                axes.imshow(thumb.overlay)
                axes.set_title(_short(thumb.name, 44), fontsize=8, loc="left", y=1.08)
                axes.text(0, -4, _short(thumb.remark, 50), fontsize=8, color=INKS[Severity.ERROR])


def _short(text: str, length: int) -> str:
    """A text that is too long without its middle; the ends of names tell most."""
    half = (length - 3) // 2
    return text if len(text) <= length else f"{text[:half]}...{text[-half:]}"
