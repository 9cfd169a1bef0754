"""A surveyed folder with the records of its pairs: what the judging modules look at."""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from segnext.data.curate.split import Grouping
from segnext.data.doctor.duplicates import Copy, exact_copies, near_copies
from segnext.data.doctor.overlap import measure_overlap
from segnext.data.doctor.planes import read_planes_record
from segnext.data.doctor.raster import read_raster_record
from segnext.data.doctor.records import Mask, PairRecord, read_image_record, read_mask_record
from segnext.data.doctor.scenes import scene_rule
from segnext.data.doctor.survey import Item, Survey
from segnext.data.doctor.turned import Turned, measure_turned
from segnext.data.formats.journal import imported_names, name_in
from segnext.data.formats.rotation import is_alike
from segnext.labels import Labels
from segnext.pillow import unbound_pillow

MAX_THREADS = 16
MEASURED = 24  # pictures on which it is measured how masks lie
Pair = tuple[Item, PairRecord]


@dataclass
class Case:
    """A data set under examination.

    Attributes:
        survey: its files.
        records: one for each of `survey.items`.
        sampled: whether only some masks, and no pictures, were decoded.
    """

    survey: Survey
    records: list[PairRecord]
    sampled: bool = False

    @property
    def labels(self) -> Labels | None:
        """Of the dataset.yaml."""
        return self.survey.labels

    @property
    def multi_label(self) -> bool:
        """Whether each class has masks of its own."""
        return self.labels is not None and self.labels.multi_label

    def without_list(self) -> "Case":
        """The same as if there were no dataset.yaml."""
        return replace(self, survey=replace(self.survey, labels=None))

    def band_names(self) -> list[str]:
        """Names for the bands of pictures that have more than a picture has; [] where none do, or they have names."""
        counts = Counter(record.image.bands for record in self.records if record.image.multiband)
        if not counts or self.survey.bands is not None:
            return []
        number = counts.most_common(1)[0][0]
        usual = {2: ["grey", "other"], 4: ["red", "green", "blue", "nir"]}
        return usual.get(number) or [f"band{place}" for place in range(1, number + 1)]

    @cached_property
    def exact(self) -> list[Copy]:
        """Pictures with equal pixels."""
        return exact_copies(self.records)

    @cached_property
    def near(self) -> list[Copy]:
        """Pictures that are nearly the same."""
        return near_copies(self.records)

    @cached_property
    def scenes(self) -> Grouping | None:
        """The rule for names by which pictures look alike, if there is one."""
        return scene_rule(self.survey.pictures(), self.records)

    @cached_property
    def unclear(self) -> list[Pair]:
        """Pairs whose picture EXIF turns or mirrors without another size, but for those that an import settled."""
        settled = imported_names(self.survey.root)
        pairs = [(i, r) for i, r in self.pairs() if r.image.orientation > 1 and r.image.size == r.image.upright]
        return [(item, record) for item, record in pairs if name_in(item.image) not in settled]

    @cached_property
    def turned(self) -> Turned | None:
        """How the masks of the unclear pairs lie, as measured on some of them."""
        root, step = self.survey.root, max(1, len(self.unclear) // MEASURED)
        some = self.unclear[::step][:MEASURED]
        return measure_turned([(root / i.image, root / i.mask, r.image.orientation) for i, r in some])

    @cached_property
    def agreed(self) -> float:
        """How far the masks of pictures that have several are the same, 0 to 1, as measured on some of them."""
        groups = [[self.survey.root / mask for _, mask in parts] for parts in self.survey.pairing.several.values()]
        return measure_overlap(groups[:: max(1, len(groups) // MEASURED)][:MEASURED])

    def resized(self) -> list[Pair]:
        """Pairs of which one was resized: the mask has the picture's shape, upright or as stored, but another size."""
        found = []
        for item, record in self.pairs():
            image, mask = record.image, record.mask
            unlike = image.size[0] and mask.size[0] and mask.size not in (image.upright, image.size)
            if unlike and (is_alike(mask.size, image.upright) or is_alike(mask.size, image.size)):
                found.append((item, record))
        return found

    def pairs(self) -> Iterator[Pair]:
        """Every pair with its record."""
        return zip(self.survey.items, self.records, strict=True)

    def readable(self) -> list[Pair]:
        """Pairs whose mask was read."""
        return [(item, record) for item, record in self.pairs() if record.mask.error is None and record.mask.values]


def examine(
    survey: Survey, *, masks: Sequence[bool] | None = None, done: Callable[[int], None] = lambda count: None
) -> Case:
    """Look into every pair, on all processors.

    Args:
        survey: the folder.
        masks: for a quick look, which masks to decode; no picture is decoded then. None decodes all.
        done: called with the number of pairs looked at.
    """
    wanted = masks if masks is not None else [True] * len(survey.items)

    def look(index: int) -> PairRecord:
        item = survey.items[index]
        path, decoded = survey.root / item.image, masks is None
        if survey.bands is None:
            image = read_image_record(path, pixels=decoded)
        else:
            image = read_raster_record(path, survey.bands, pixels=decoded)
        if survey.labels is not None and survey.labels.multi_label:
            planes = read_planes_record(survey.root / item.mask, survey.labels, image) if wanted[index] else Mask()
            return PairRecord(image, planes)
        return PairRecord(image, read_mask_record(survey.root / item.mask, pixels=wanted[index], coding=item.coding))

    records = []
    with unbound_pillow, ThreadPoolExecutor(min(os.cpu_count() or 1, MAX_THREADS)) as pool:
        for count, record in enumerate(pool.map(look, range(len(survey.items))), start=1):
            records.append(record)
            done(count)
    return Case(survey, records, sampled=masks is not None)


def named(file: Path | str, what: object) -> str:
    """A file with what is wrong with it."""
    return f"{file} ({what})"
