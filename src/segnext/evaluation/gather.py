"""What a report shows of weights on a split: how well they do, and the worst pictures drawn."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Any

import numpy as np

from segnext.checkpoint.provenance import Provenance
from segnext.data.counts import count_classes
from segnext.data.folder import DataSet, Pair
from segnext.data.masks import Mask
from segnext.errors import SegNextError
from segnext.evaluation.chart import Chart
from segnext.evaluation.examine import Score, typical, worst
from segnext.evaluation.metrics import Metrics
from segnext.evaluation.page import Example, Page, example
from segnext.inference.segmenter import Segmenter
from segnext.labels import Labels

WORST, TYPICAL = 8, 4  # pictures shown: of the lowest IoU, and around the median
MOST_MASKS = 2000  # of train that the histogram counts; of more, evenly spread ones


def gather(
    segmenter: Segmenter,
    data: DataSet,
    split: str,
    title: str,
    measured: tuple[Metrics, Sequence[Score]],
    charts: Sequence[Chart] = (),
    translate: Callable[[Mask], Mask] = lambda mask: mask,
) -> Page:
    """Draw the pictures that weights do worst on, and put together what is known of weights and data.

    Args:
        segmenter: the weights.
        data: the data set.
        split: what was measured on.
        title: the page's heading.
        measured: what `examine` gave.
        charts: curves of the training.
        translate: from predicted labels to the data set's, where these are others.

    Raises:
        SegNextError: when the split or a file of it cannot be read.
    """
    (metrics, scores), labels = measured, data.labels
    low = worst(scores, WORST)
    middle = [score for score in typical(scores, TYPICAL) if score not in low]
    examples, others = ([_example(segmenter, score, data, translate) for score in chosen] for chosen in (low, middle))
    shares = {split: np.nan_to_num(metrics.shares).tolist()}
    if split != "train":
        with suppress(SegNextError):  # masks that are missing or broken are no matter of the split that was measured
            shares = {"train": _shares(data.pairs("train"), labels), **shares}
    facts = [("data", labels.name), *_facts(segmenter.provenance)]
    return Page(title, metrics, labels, split, facts, examples, shares, charts, _details(segmenter), others)


def _example(segmenter: Segmenter, score: Score, data: DataSet, translate: Callable[[Mask], Mask]) -> Example:
    """The picture segmented once more, so that no masks are kept of all the others."""
    pair, labels = score.pair, data.labels
    result = segmenter.segment(pair.read_image(segmenter.preprocess.bands))
    name = (pair.image.relative_to(data.path) if pair.image.is_relative_to(data.path) else pair.image).as_posix()
    if pair.window is not None:
        name += f", from row {pair.window.top} and column {pair.window.left}"
    return example(name, score, result.image, pair.read_mask(labels), translate(result.mask), labels)


def _shares(pairs: Sequence[Pair], labels: Labels) -> list[float]:
    """Each class's share of the labelled pixels."""
    chosen = pairs[:: -(-len(pairs) // MOST_MASKS)]
    return [float(share) for share in count_classes(chosen, labels, workers=2).frequencies]


def _facts(provenance: Provenance) -> list[tuple[str, str]]:
    """The heads of what the weights say of themselves; those of other makers say less."""
    recipe, data, found = provenance.recipe or {}, provenance.data or {}, []
    if model := recipe.get("model"):
        found.append(("model", str(model)))
    if data.get("pictures"):
        found.append(("trained on", f"{data['pictures']:,} pictures of {data.get('name', 'unknown data')}"))
    if step := provenance.step:
        of = f" of {recipe['iterations']:,}" if "iterations" in recipe else ""
        found.append(("step", f"{step:,}{of}"))
    return found


def _details(segmenter: Segmenter) -> dict[str, Any]:
    provenance = segmenter.provenance.to_dict()
    parts: dict[str, Any] = {name: provenance.pop(name) for name in ("recipe", "versions") if name in provenance}
    parts |= {"network": asdict(segmenter.config), "preprocessing": asdict(segmenter.preprocess)}
    if provenance:
        parts["provenance"] = provenance
    return parts
