"""Where weights come from, how they were made and how good they are."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from segnext.documents import shown

_TEXTS = ("converted_from", "url", "sha256", "licence", "licence_note")
_TABLES = ("recipe", "data", "metrics", "started_from", "published", "versions")


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """What weights say of their origin; None where they do not say. The fields are in the order of the file.

    Attributes:
        recipe: settings of the training run that made them.
        data: that they were trained on: name, split, pictures.
        classes: of the pictures that an encoder was pre-trained on; those of a whole network are its labels.
        step: of the training run, after so many optimiser steps.
        metrics: measured by the run at that step, all ratios 0..1: split, miou, iou by class, ...; or top1, top5.
        started_from: the weights that the run started from: weights, part, converted_from, url, sha256.
        converted_from: name of the file that they were converted from.
        url: where that was downloaded.
        sha256: of the downloaded file, hexadecimal.
        licence: of the weights, as "Apache-2.0".
        licence_note: what has to be said of it.
        published: what the publisher says of them, not measured again: data, and miou or top1, 0..1.
        versions: of the packages that made them.
        more: what other versions of this package have written.
    """

    recipe: Mapping[str, Any] | None = None
    data: Mapping[str, Any] | None = None
    classes: tuple[str, ...] | None = None
    step: int | None = None
    metrics: Mapping[str, Any] | None = None
    started_from: Mapping[str, Any] | None = None
    converted_from: str | None = None
    url: str | None = None
    sha256: str | None = None
    licence: str | None = None
    licence_note: str | None = None
    published: Mapping[str, Any] | None = None
    versions: Mapping[str, str] | None = None
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def miou(self) -> float | None:
        """Measured by the run on `split`, 0..1; None where it measured nothing."""
        miou = (self.metrics or {}).get("miou")
        return None if miou is None else float(miou)

    @property
    def split(self) -> str:
        """Which the metrics were measured on."""
        return str((self.metrics or {}).get("split") or "val")

    def to_dict(self) -> dict[str, Any]:
        """What is known, as JSON and YAML take it."""
        known = {part.name: getattr(self, part.name) for part in fields(self) if part.name != "more"}
        return {name: value for name, value in known.items() if value is not None} | dict(self.more)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "Provenance":
        """The other way round.

        Raises:
            TypeError: when a part is not what it should be.
        """
        names = {part.name for part in fields(cls)} - {"more"}
        known = {name: value for name, value in content.items() if name in names}
        kinds = dict.fromkeys(_TEXTS, str) | dict.fromkeys(_TABLES, Mapping) | {"classes": list | tuple, "step": int}
        for name, value in known.items():
            if value is not None and not isinstance(value, kinds[name]):
                raise TypeError(f"its provenance has {type(value).__name__} as {name}")
        miou = (known.get("metrics") or {}).get("miou")
        if miou is not None and not isinstance(miou, float) and (type(miou) is not int or not 0 <= miou <= 1):
            raise TypeError(f"its provenance has {shown(miou)} as miou")
        if "classes" in known:
            known["classes"] = tuple(map(str, known["classes"]))
        return cls(**known, more={name: value for name, value in content.items() if name not in names})

    def updated(self, later: "Provenance") -> "Provenance":
        """These facts, and `later` ones in the place of those that it knows too."""
        return replace(self, **{name: value for name, value in vars(later).items() if value})

    def succession(self, name: str, part: str) -> "Provenance":
        """What weights that start from these have to say of them.

        Args:
            name: of these weights' file.
            part: which was taken, network or encoder.
        """
        source = {key: getattr(self, key) for key in ("converted_from", "url", "sha256") if getattr(self, key)}
        started_from = {"weights": name, "part": part, **source}
        return Provenance(started_from=started_from, licence=self.licence, licence_note=self.licence_note)
