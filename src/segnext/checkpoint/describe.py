"""What a weights file says of itself: for programs everything, as JSON takes it; the heads of it for people."""

import math
import re
from datetime import datetime
from math import prod
from pathlib import Path
from typing import Any

from segnext.checkpoint.card import model_name
from segnext.checkpoint.exported import EXPORTED, Exported, read_exported
from segnext.checkpoint.exported import about as exported_about
from segnext.checkpoint.provenance import Provenance
from segnext.checkpoint.tensors import Header, read_header
from segnext.checkpoint.weights import (
    ENCODER_FORMAT,
    description,
    encoder_provenance,
    kind_of,
    parse_exported,
    parse_header,
)
from segnext.words import counted, listed, percent, unpredicted

SHOWN = ("iterations", "epochs", "batch_size", "accumulate", "crop", "size", "short_side", "precision", "seed")


def describe(path: Path) -> dict[str, Any]:
    """A weights file, of a network or of an encoder alone, or an exported file.

    Returns:
        file, bytes, written (local time, ISO 8601), card (the model card beside it, or None), holds ("network",
        "encoder" or "exported network"), numbers (learned and other ones that are stored; not of an exported file,
        which has exported, see `exported.about`), and what the header says: of a network network, model, labels,
        preprocess and provenance, of an encoder provenance.

    Raises:
        SegNextError: when it is none of ours, or damaged.
    """
    if path.suffix in EXPORTED:
        return _describe_exported(path)
    header = read_header(path)
    about = _outside([path]) | {"numbers": sum(prod(shape) for shape in header.shapes.values())}
    if kind_of(header.metadata) == ENCODER_FORMAT:
        return about | {"holds": "encoder", "provenance": _of_encoder(header, path)}
    weights = parse_header(header, path)
    return about | {"holds": "network", "network": model_name(weights), **description(weights)}


def _describe_exported(path: Path) -> dict[str, Any]:
    found = read_exported(path)
    weights = parse_exported(found, path)
    outside = _outside(Exported(path).files) | {"holds": "exported network", "exported": exported_about(found, path)}
    return outside | {"network": model_name(weights), **description(weights)}


def _outside(files: list[Path]) -> dict[str, Any]:
    """What is known of a file, with those that belong to it, without opening it."""
    path, stat = files[0], files[0].stat()
    return {
        "file": str(path),
        "bytes": sum(file.stat().st_size for file in files),
        "written": datetime.fromtimestamp(stat.st_mtime).astimezone().isoformat(timespec="seconds"),
        "card": None if (card := _card(path)) is None else str(card),
    }


def _card(path: Path) -> Path | None:
    """The model card beside weights."""
    cards = (path.with_suffix(".md"), path.with_name("README.md"))
    return next((card for card in cards if card.is_file()), None)


def licence_in_card(path: Path) -> str | None:
    """What the card beside the weights in `path` says of their licence, in one line; None where it says nothing."""
    card = _card(path)
    text = card.read_text(encoding="utf-8", errors="replace") if card else ""
    section = re.search(r"^#+ (?:licence|license|terms)\s+(.+?)\s*(?:^#|\Z)", text, re.I | re.M | re.S)
    return " ".join(section[1].split()) if section else None


def _of_encoder(header: Header, path: Path) -> dict[str, Any]:
    return encoder_provenance(header.metadata, path).to_dict()


def facts(about: dict[str, Any]) -> list[tuple[str, str]]:
    """Name and text of what people want to know of the weights that `describe` gave."""
    told = Provenance.from_dict(about["provenance"])
    found = [
        ("file", f"{about['file']}, {about['bytes'] / 1e6:.1f} MB, written {about['written'][:10]}"),
        ("card", about["card"] or ""),
        ("network", about.get("network") or f"an encoder alone, {about['numbers'] / 1e6:.2f} M numbers"),
        ("exported", _exported(about["exported"]) if "exported" in about else ""),
        ("classes", _classes(about, told)),
        ("pictures", _pictures(about["preprocess"]) if "preprocess" in about else ""),
        ("data", _data(told)),
        ("scores", _scores(told)),
        ("class IoU", _ious(told)),
        ("recipe", _recipe(told)),
        ("started from", _origin(told)),
        ("licence", _licence(told, Path(about["file"]))),
        ("made by", ", ".join(f"{name} {version}" for name, version in (told.versions or {}).items())),
    ]
    return [(name, text) for name, text in found if text]


def _exported(about: dict[str, Any]) -> str:
    takes = {"uint8": "pictures as they are", "float": "normalised pictures"}[about["input"]]
    gives = {"confidence": "labels and their probabilities"}.get(about["output"], about["output"])
    made = f"by segnext {about['version']} of weights {about['weights'][:16]}"
    return f"for {about['to']}, {about['precision']}, takes {takes}, gives {gives}; {made}"


def _classes(about: dict[str, Any], told: Provenance) -> str:
    labels = about.get("labels", {"classes": [{"name": name} for name in told.classes or ()]})
    names = [entry["name"] for entry in labels["classes"]]
    kind = ", any number of them at a pixel" if labels.get("multi_label") else ""
    return f"{len(names)}{kind}: {listed(names, 24)}" if names else ""


def _pictures(preprocess: dict[str, Any]) -> str:
    bands, side = preprocess["bands"], preprocess["short_side"]
    kind = f"bands {', '.join(bands['chosen'])}" if bands else "RGB"
    return f"{kind}, {f'resized to a short side of {side} pixels' if side else 'at their own size'}"


def _data(told: Provenance) -> str:
    data = told.data or {}
    name, split = data.get("name"), data.get("split")
    pictures = counted(data["pictures"], "picture") if isinstance(data.get("pictures"), int) else ""
    return ", ".join(str(part) for part in (name, split, pictures) if part)


def _scores(told: Provenance) -> str:
    metrics, published = told.metrics or {}, told.published or {}
    values = metrics or published
    names = {"miou": "mIoU", "pixel_accuracy": "pixel accuracy", "mean_accuracy": "mean accuracy"}
    names |= {"top1": "top-1", "top5": "top-5"}
    scores = [f"{text} {percent(values[key], 2)}" for key, text in names.items() if isinstance(values.get(key), float)]
    if not scores:
        return ""
    if not metrics:
        return f"{', '.join(scores)}, as published"
    at = f" at step {told.step:,}" if told.step else ""
    return f"{', '.join(scores)} on {told.split}{at}{unpredicted(metrics.get('never_predicted', ()))}"


def _ious(told: Provenance) -> str:
    ious = (told.metrics or {}).get("iou")
    if not isinstance(ious, dict):
        return ""
    return listed((f"{name} {percent(math.nan if iou is None else iou)}" for name, iou in ious.items()), 24)


def _recipe(told: Provenance) -> str:
    recipe = told.recipe or {}
    said = {name: recipe[name] for name in SHOWN if recipe.get(name) is not None}
    optimizer = recipe.get("optimizer")
    if isinstance(optimizer, dict) and "lr" in optimizer:
        said["lr"] = optimizer["lr"]
    return ", ".join(f"{name} {value}" for name, value in said.items())


def _origin(told: Provenance) -> str:
    origin = told.started_from or {}
    begun = f"{origin['part']} of {origin['weights']}" if {"part", "weights"} <= origin.keys() else ""
    return "; ".join(filter(None, (begun, told.converted_from and f"converted from {told.converted_from}", told.url)))


def _licence(told: Provenance, path: Path) -> str:
    """What the header says, or else a card's section of that name."""
    if told.licence or told.licence_note:
        return ". ".join(filter(None, (told.licence, told.licence_note)))
    return licence_in_card(path) or "not stated"
