"""The contact sheet: masks over pictures, how often classes occur, sizes and shapes; a PNG or one HTML page."""

import base64
import html
import io
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from segnext.bands import view_file
from segnext.data.doctor.charts import class_chart, size_chart
from segnext.data.doctor.check import Report
from segnext.data.doctor.encoding import is_color
from segnext.data.doctor.findings import EXAMPLES, Severity
from segnext.data.doctor.records import Record
from segnext.data.doctor.report import overview, verdict
from segnext.data.doctor.survey import Item
from segnext.data.known import labels_for_count
from segnext.data.planes import read_planes
from segnext.errors import SegNextError
from segnext.files import replacing
from segnext.imageio import open_picture, read_image
from segnext.labels import Color
from segnext.words import printable

FLAGGED, SPREAD = 12, 18  # pairs shown because of a finding, and evenly over the splits
THUMB = (300, 225)  # width and height that a thumbnail fits in
COLUMNS = 4
INK: Color = (40, 40, 40)
COLORS: dict[Severity, Color] = {
    Severity.ERROR: (190, 30, 30),
    Severity.WARNING: (176, 106, 0),
    Severity.NOTE: (20, 100, 170),
}

Picture = NDArray[np.uint8]
_SPREAD_COLORS = np.array(labels_for_count(256).colors, np.uint8)


@dataclass(frozen=True)
class Thumb:
    """A pair on the sheet: the picture, and with its mask over it, both (H, W, 3) uint8, and what to say of it."""

    picture: Picture
    overlay: Picture
    name: str
    remark: str


def write_sheet(report: Report, path: Path) -> None:
    """Write the sheet, a page or a picture by the suffix .html or .png.

    Raises:
        SegNextError: when the file cannot be written.
    """
    thumbs = [thumb for index, remark in _chosen(report) if (thumb := _thumb(report, index, remark))]
    try:
        with replacing(path) as temporary:
            if path.suffix.lower() == ".html":
                temporary.write_text(_page(report, thumbs), encoding="utf-8")
            else:
                _picture(report, thumbs).save(temporary, format="PNG")
    except OSError as error:
        raise SegNextError(f"{path}: cannot be written ({error.strerror}); choose another --sheet") from error


def _chosen(report: Report) -> list[tuple[int, str]]:
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


def _thumb(report: Report, index: int, remark: str) -> Thumb | None:
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
    return Thumb(plain, overlay, printable(str(item.image)), remark)


def _planes_painted(report: Report, folder: Path, picture: Picture) -> Picture:
    """The picture (H x W x 3) with every class's masks in its colour, the later over the earlier."""
    labels = report.case.labels
    assert labels is not None
    planes = read_planes(folder, labels, lambda: picture.shape[:2])
    height, width = picture.shape[:2]
    rows = np.arange(height) * planes.shape[1] // height
    columns = np.arange(width) * planes.shape[2] // width
    painted = picture.copy()
    for plane, color in zip(planes, labels.colors, strict=True):
        painted[plane[rows][:, columns] == 1] = color
    return painted


def _painted(report: Report, item: Item, record: Record, size: tuple[int, int]) -> Picture | None:
    """The mask in colours at the thumbnail's size, or None when it cannot be read."""
    if record.mask.error or record.mask.values is None:
        return None
    path = report.case.survey.root / item.mask
    if item.coding is not None:
        labels = PIL.Image.fromarray(item.coding.decode(path)).resize(size, PIL.Image.Resampling.NEAREST)
        return np.asarray(_palette(report)[np.asarray(labels)])
    with open_picture(path) as mask:
        if is_color(record.mask) or (mask.mode == "P" and report.encoding.kind == "colors"):
            return np.asarray(mask.convert("RGB").resize(size, PIL.Image.Resampling.NEAREST))
        plain = mask.convert("L") if mask.mode not in ("L", "P", "1", "F") and not mask.mode.startswith("I") else mask
        values = np.asarray(plain.resize(size, PIL.Image.Resampling.NEAREST)).astype(np.int64)
    return _palette(report)[np.clip(values, 0, 255)]


def _palette(report: Report) -> Picture:
    """A colour for each of 256 labels: the class list's, else well-spread ones; foreign labels are magenta."""
    labels = report.case.labels
    if report.encoding.kind == "binary":
        return np.linspace((20, 20, 60), (255, 60, 60), 256).astype(np.uint8)
    if labels is None:
        return _SPREAD_COLORS
    palette = np.tile(np.array([255, 0, 255], np.uint8), (256, 1))
    palette[: len(labels)] = labels.colors
    palette[labels.ignore] = 255
    return palette


def _picture(report: Report, thumbs: list[Thumb]) -> PIL.Image.Image:
    """What was found, charts, and thumbnails below, as one picture."""
    charts = [PIL.Image.open(io.BytesIO(chart), formats=["PNG"]) for chart in (class_chart(report), size_chart(report))]
    rows = [thumbs[start : start + COLUMNS] for start in range(0, len(thumbs), COLUMNS)]
    heights = [max(thumb.overlay.shape[0] for thumb in row) + 44 for row in rows]
    lines = _lines(report)
    text, top = 20 * len(lines) + 24, max(chart.height for chart in charts)
    width = max(COLUMNS * (THUMB[0] + 16), sum(chart.width for chart in charts))
    page = PIL.Image.new("RGB", (width, text + top + sum(heights) + 8), "white")
    for index, (line, color) in enumerate(lines):
        _write(page, (12, 12 + 20 * index), line, color, 15)
    across = 0
    for chart in charts:
        page.paste(chart.convert("RGB"), (across, text))
        across += chart.width
    y = text + top
    for row, height in zip(rows, heights, strict=True):
        for index, thumb in enumerate(row):
            x = 8 + index * (THUMB[0] + 16)
            _write(page, (x, y + 2), _short(thumb.name, 44), INK, 13)
            _write(page, (x, y + 16), _short(thumb.remark, 44), COLORS[Severity.ERROR], 13)
            page.paste(PIL.Image.fromarray(thumb.overlay), (x, y + 32))
        y += height
    return page


def _lines(report: Report) -> list[tuple[str, Color]]:
    """The folder, the findings and the verdict, with their colours."""
    lines = [(line, INK) for line in (*overview(report), verdict(report))]
    for finding in report.findings:
        lines.append((f"{finding.severity.name.lower()}: {finding.title}", COLORS[finding.severity]))
    return [(_short(line, 160), color) for line, color in lines]


def _short(text: str, length: int) -> str:
    """A text that is too long without its middle; the ends of names tell most."""
    half = (length - 3) // 2
    return text if len(text) <= length else f"{text[:half]}...{text[-half:]}"


def _write(page: PIL.Image.Image, corner: tuple[int, int], text: str, color: Color, size: int) -> None:
    from PIL import ImageDraw, ImageFont

    ImageDraw.Draw(page).text(corner, text, fill=color, font=ImageFont.load_default(size))


_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #222; max-width: 1280px; margin: 2em auto; padding: 0 1em }
h1 { font-size: 1.4em } h2 { font-size: 1.15em; margin-top: 2em } code { background: #f2f2f2; padding: .1em .3em }
.finding { border-left: 5px solid #999; margin: .9em 0; padding: .1em 0 .1em .9em; overflow-wrap: anywhere }
.error { border-color: #c62828 } .warning { border-color: #ef9a00 } .note { border-color: #1e88e5 }
.finding p { margin: .15em 0 } .finding small { color: #666 } .charts img { max-width: 100% }
.pairs { display: grid; grid-template-columns: repeat(auto-fill, minmax(300px, 1fr)); gap: 1em }
figure { margin: 0 } figure img { display: block } figcaption { font-size: .8em; overflow-wrap: anywhere }
figure .remark { color: #b71c1c } figure .plain { display: none } figure:hover .plain { display: block }
figure:hover .overlay { display: none }
"""


def _page(report: Report, thumbs: list[Thumb]) -> str:
    """One page that needs no other file."""
    title = html.escape(printable(f"{report.case.survey.root.resolve().name}: data check"))
    parts = [
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>',
        f"<style>{_STYLE}</style></head><body><h1>{title}</h1>",
        *(f"<p>{html.escape(line)}</p>" for line in overview(report)),
        f"<p><b>{html.escape(verdict(report))}</b></p>",
        *(_finding(finding.to_dict()) for finding in report.findings),
        '<h2>Classes and sizes</h2><div class="charts">',
        *(f'<img alt="chart" src="{_data(chart, "png")}">' for chart in (class_chart(report), size_chart(report))),
        "</div><h2>Masks over pictures</h2><p>Point at one to see the picture alone.</p><div class='pairs'>",
        *map(_figure, thumbs),
        "</div></body></html>\n",
    ]
    return "\n".join(parts)


def _finding(finding: dict[str, object]) -> str:
    files = finding["files"]
    assert isinstance(files, list)
    shown = f"<p><small>{html.escape(', '.join(files[:EXAMPLES]))}</small></p>" if files else ""
    return (
        f'<div class="finding {finding["severity"]}"><p><b>{html.escape(str(finding["title"]))}</b></p>'
        f"<p>{html.escape(str(finding['why']))}</p><p><code>{html.escape(str(finding['fix']))}</code></p>{shown}</div>"
    )


def _figure(thumb: Thumb) -> str:
    pictures = "".join(
        f'<img class="{name}" alt="" src="{_data(_jpeg(pixels), "jpeg")}">'
        for name, pixels in (("overlay", thumb.overlay), ("plain", thumb.picture))
    )
    remark = f'<br><span class="remark">{html.escape(thumb.remark)}</span>' if thumb.remark else ""
    return f"<figure>{pictures}<figcaption>{html.escape(thumb.name)}{remark}</figcaption></figure>"


def _jpeg(pixels: Picture) -> bytes:
    buffer = io.BytesIO()
    PIL.Image.fromarray(pixels).save(buffer, format="JPEG", quality=85)
    return buffer.getvalue()


def _data(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
