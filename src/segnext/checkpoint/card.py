"""The model card of weights: what they are, where they come from, how good they are, how to use them."""

from collections.abc import Mapping
from typing import Any

from segnext.checkpoint.provenance import Provenance
from segnext.checkpoint.weights import Weights
from segnext.model.composed import ComposedConfig
from segnext.model.config import ablations, inside, staged_presets
from segnext.model.families import family_of
from segnext.model.functions import FunctionConfig
from segnext.plain import to_yaml

STANDARD = ("split", "miou", "pixel_accuracy", "mean_accuracy", "iou", "miou_of")  # what a run of ours measures
USE = """\
```python
import segnext

segmenter = segnext.load("{name}")  # or the repository this card lies in
result = segmenter("picture.jpg")
result.overlay().save("overlay.png")
```
"""


def model_card(weights: Weights, *, licence: str | None = None) -> str:
    """README.md for a Hub repository: YAML front matter, then Markdown.

    Args:
        weights: described by their configuration, labels and provenance alone.
        licence: of the weights; None takes what their provenance says, and leaves it open where it says nothing.
    """
    provenance = weights.provenance
    licence = licence or provenance.licence
    results = _results(weights)
    front: dict[str, Any] = {"library_name": "segnext", "pipeline_tag": "image-segmentation"}
    if licence:
        front["license"] = licence.lower()
    front["tags"] = ["semantic-segmentation", "segnext"]
    if results:
        front["metrics"] = ["mean_iou"]
        front["model-index"] = [{"name": _title(weights), "results": results}]
    parts = [
        f"---\n{to_yaml(front)}---\n",
        f"# {_title(weights)}\n",
        _description(weights),
        *([f"> {provenance.licence_note}\n"] if provenance.licence_note else []),
        "## Use\n\n" + "Install with `pip install 'segnext[hub]'`.\n\n" + USE.format(name="OWNER/NAME"),
        _quality(weights),
        _origin(provenance),
        f"## Classes\n\n{', '.join(weights.labels.classes)}\n",
    ]
    return "\n".join(part for part in parts if part)


def model_name(weights: Weights) -> str:
    """The network as its authors call it."""
    config = inside(weights.config)
    family = family_of(config)
    if isinstance(config, ComposedConfig):
        return f"{config.encoder} under {config.decoder}"
    if isinstance(config, FunctionConfig):
        return config.function
    for name, known in staged_presets().items():
        if (known.channels, known.depths) == (config.channels, config.depths):
            return f"{family.title}-{name.rpartition('_')[2].upper()}"
    return family.title


def _title(weights: Weights) -> str:
    return f"{model_name(weights)}, {weights.labels.name}"


def _description(weights: Weights) -> str:
    parameters = sum(x.numel() for x in weights.state.values() if x.is_floating_point()) / 1e6
    wanted = weights.preprocess.wanted()
    size = f"Pictures are resized to {wanted}." if wanted else "Pictures keep their size."
    bands = weights.preprocess.bands
    names = f" ({', '.join(bands.chosen)})" if bands else ""
    changed = ablations(weights.config)
    unlike = f" It is not the published network in its {', '.join(changed)}." if changed else ""
    return (
        f"{model_name(weights)} ({family_of(weights.config).paper}) for semantic segmentation: "
        f"{len(weights.labels)} classes, {weights.config.in_channels} bands{names}, {parameters:.1f} M parameters."
        f"{unlike} {size}\n"
    )


def _measured(weights: Weights) -> tuple[str, str, float] | None:
    """Data, split and mIoU (0..1), measured by the training run or published with the weights."""
    origin = weights.provenance
    data = str((origin.data or {}).get("name") or weights.labels.name)
    if origin.miou is not None:
        return data, origin.split, origin.miou
    miou = (origin.published or {}).get("miou")
    return None if miou is None else (data, "val", float(miou))


def _results(weights: Weights) -> list[dict[str, Any]]:
    """The model-index of the Hub."""
    measured = _measured(weights)
    if measured is None:
        return []
    data, split, miou = measured
    return [
        {
            "task": {"type": "image-segmentation"},
            "dataset": {"name": data, "type": data, "split": split},
            "metrics": [{"type": "mean_iou", "value": round(miou, 4), "name": "mIoU, single scale"}],
        }
    ]


def _quality(weights: Weights) -> str:
    measured, metrics = _measured(weights), weights.provenance.metrics or {}
    lines = []
    if measured is not None:
        data, split, miou = measured
        published = "" if metrics else ", as published; not measured again"
        lines.append(f"mIoU {100 * miou:.2f} % on {data} {split}, single scale{published}.\n")
    others = {name: value for name, value in metrics.items() if name not in STANDARD}
    if others:
        lines.append(_table("metric", "value", {name: str(value) for name, value in others.items()}))
    if ious := metrics.get("iou"):
        shown = {name: "-" if iou is None else format(100 * iou, ".2f") for name, iou in ious.items()}
        lines.append(_table("class", "IoU %", shown))
    return "\n".join(("## Quality\n", *lines)) if lines else ""


def _table(name: str, value: str, rows: Mapping[str, str]) -> str:
    return "\n".join((f"| {name} | {value} |", "|---|---|", *(f"| {key} | {x} |" for key, x in rows.items()))) + "\n"


def _origin(provenance: Provenance) -> str:
    """Recipe, data and versions of a run, or the file that the weights were converted from."""
    shown = {name: value for name, value in provenance.to_dict().items() if name not in ("metrics", "licence_note")}
    if not shown:
        return ""
    return f"## Origin\n\n```yaml\n{to_yaml(shown)}```\n"
