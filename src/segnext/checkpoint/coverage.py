"""How much of a network a state dict fills: counted by part, printable, and refused when it is not enough."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from segnext.errors import SegNextError

REFINEMENT = "decoder.refinement."
CLASSIFIER = "decoder.classifier."
PER_CLASS = (CLASSIFIER, f"{REFINEMENT}classifier.")  # tensors whose shape follows from the classes
HEAD = ("decoder", "refinement", "classifier")
IMAGENET = "ImageNet classifier"
COLUMNS = ("loaded", "missing", "wrong shape", "unexpected")


def part_of(name: str) -> str:
    """The part of the network that a tensor of this name (in our naming) belongs to."""
    stage = re.match(r"encoder\.stages\.(\d)\.", name)
    if stage:
        return f"encoder stage {int(stage[1]) + 1}"
    if name.startswith("decoder."):
        kinds = ((CLASSIFIER, "classifier"), (REFINEMENT, "refinement"), ("", "decoder"))
        return next(part for start, part in kinds if name.startswith(start))
    return IMAGENET if name.startswith("head.") else "other"


@dataclass(frozen=True)
class Coverage:
    """Which tensors of a network a state dict fills; `print` shows it as a table by part.

    Attributes:
        loaded: names of the network's tensors that are there with the right shape.
        missing: names that are not there.
        wrong_shape: names that are there with another shape -> (shape there, the network's shape).
        unexpected: names that the network does not have.
    """

    loaded: tuple[str, ...]
    missing: tuple[str, ...]
    wrong_shape: Mapping[str, tuple[torch.Size, torch.Size]]
    unexpected: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether every tensor has its place and every place its tensor."""
        return bool(self.loaded) and not (self.missing or self.wrong_shape or self.unexpected)

    def by_part(self) -> dict[str, tuple[int, int, int, int]]:
        """Part -> numbers of tensors loaded, missing, of wrong shape, unexpected; in the network's order."""
        kinds = (self.loaded, self.missing, tuple(self.wrong_shape), self.unexpected)
        counts = [Counter(part_of(name) for name in names) for names in kinds]
        parts = sorted({part for count in counts for part in count}, key=_order)
        return {part: (counts[0][part], counts[1][part], counts[2][part], counts[3][part]) for part in parts}

    def __str__(self) -> str:
        parts = self.by_part()
        width = max(map(len, parts), default=0)
        lines = [" " * width + "".join(f"  {title}" for title in COLUMNS)]
        for part, numbers in parts.items():
            cells = (str(number or "-").rjust(len(title) + 2) for number, title in zip(numbers, COLUMNS, strict=True))
            lines.append(part.ljust(width) + "".join(cells))
        return "\n".join(lines)

    def require(self, source: str, *, new: Collection[str] = (), unused: Collection[str] = (), hint: str = "") -> None:
        """Refuse anything less than full coverage.

        Args:
            source: names the state dict in the error message.
            new: parts (as `part_of` names them) whose tensors may be missing or of wrong shape: they start anew.
            unused: parts that may be unexpected: they are left out.
            hint: what to do about it.

        Raises:
            SegNextError: when other tensors are missing, of wrong shape or unexpected, or nothing is loaded at all.
        """
        problems = []
        for kind, names, accepted in (
            ("missing", self.missing, new),
            ("of wrong shape", tuple(self.wrong_shape), new),
            ("unexpected", self.unexpected, unused),
        ):
            bad = [name for name in names if part_of(name) not in accepted]
            if bad:
                problems.append(f"{len(bad)} {kind} ({_parts(bad)}; '{bad[0]}' first)")
        if not self.loaded and not problems:
            problems.append("nothing in it fits")
        if problems:
            wanted = len(self.loaded) + len(self.missing) + len(self.wrong_shape)
            covered = f"{len(self.loaded)} of the network's {wanted} tensors are covered"
            advice = f"; {hint}" if hint else ""
            raise SegNextError(f"{source}: {covered}, {', '.join(problems)}{advice}")


def compare(wanted: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> Coverage:
    """What of a network's state dict `wanted` (it may be on the meta device) the state dict `found` fills."""
    common = [name for name in wanted if name in found]
    return Coverage(
        loaded=tuple(name for name in common if wanted[name].shape == found[name].shape),
        missing=tuple(name for name in wanted if name not in found),
        wrong_shape={
            name: (found[name].shape, wanted[name].shape) for name in common if wanted[name].shape != found[name].shape
        },
        unexpected=tuple(name for name in found if name not in wanted),
    )


def _order(part: str) -> tuple[int, str]:
    """The encoder's stages, then the decoder, the classifier, and what does not belong."""
    last = (*HEAD, IMAGENET, "other")
    return (last.index(part) + 1 if part in last else 0), part


def _parts(names: Iterable[str]) -> str:
    return ", ".join(sorted({part_of(name) for name in names}, key=_order))
