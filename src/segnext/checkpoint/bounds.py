"""What a weights file of unknown origin may ask for: no more than its own tensors show, told from the header alone."""

import dataclasses
import math
from collections.abc import Mapping
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from segnext.documents import shown
from segnext.model.config import NetworkConfig, StagedConfig
from segnext.preprocess import Preprocess

Shapes = Mapping[str, tuple[int, ...]]  # of tensors by name

HARMLESS = 1024  # that large may a whole number be, whatever the tensors are
LONGEST_SIDE = 1 << 14  # pixels of the short side to which pictures may be enlarged
LONGEST_TEXT = 500


def require_bounded(config: NetworkConfig, preprocess: Preprocess, held: Shapes | int) -> None:
    """Refuse a network that cannot be the one of the tensors, and pictures that cannot be prepared, before it is built.

    That every tensor is the network's is left to `compare`, which needs the network.

    Args:
        config: what is said of the network.
        preprocess: what is said of its pictures.
        held: the tensors of the file, or the bytes of an exported one, of which each parameter takes one at least.

    Raises:
        TypeError: for a value of the wrong type, or that is not finite or too large.
        ValueError: for values that do not go with one another or with the tensors.
    """
    filled = [] if isinstance(held, int) else [shape for shape in held.values() if math.prod(shape)]
    tensors, most = (HARMLESS, held) if isinstance(held, int) else (len(held), sum(map(math.prod, filled)))
    _require_kinds(config, max(HARMLESS, max((max(shape, default=1) for shape in filled), default=1)))
    if config.num_classes < 1 or config.in_channels < 1:
        raise ValueError(f"num_classes is {config.num_classes} and in_channels {config.in_channels}")
    if isinstance(config, StagedConfig):
        blocks = sum(config.depths)
        # each block has at least one matrix of width x width
        numbers = sum(depth * width**2 for depth, width in zip(config.depths, config.channels, strict=True))
        if blocks > tensors or numbers > most:
            raise ValueError(
                f"its model has {blocks:,} blocks of more than {numbers:,} parameters, but the file {tensors:,} "
                f"tensors of {most:,}"
            )
    _require_preprocess(preprocess, config.in_channels)


def _require_preprocess(preprocess: Preprocess, in_channels: int) -> None:
    _require_kinds(preprocess, LONGEST_SIDE)
    if len(preprocess.mean) != len(preprocess.std) or min(preprocess.std, default=0) <= 0:
        raise ValueError("mean and std must be as many numbers each, one for each band, and std positive")
    for name in ("short_side", "long_side"):
        side = getattr(preprocess, name)
        if side is not None and side < 1:
            raise ValueError(f"{name} is {side}")
    bands = preprocess.bands
    if bands is not None:
        _require_kinds(bands, HARMLESS)
        if len(bands.chosen) != in_channels or not {*bands.chosen} <= {*bands.names}:
            raise ValueError(f"its bands are not {in_channels} of the file's")


def _require_kinds(settings: Any, most: int) -> None:
    """Refuse values that are not of the fields' types, not finite, or whole numbers beyond `most`."""
    kinds = get_type_hints(type(settings))
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if not _is(value, kinds[field.name], most):
            raise TypeError(f"{field.name} is {shown(value)}")


def _is(value: object, kind: Any, most: int) -> bool:
    """Whether a value is of the type `kind` as our dataclasses have them, and bounded."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return any(_is(value, part, most) for part in parts)
    if origin is tuple:
        if not isinstance(value, tuple) or len(value) > HARMLESS:
            return False
        wanted = parts[:1] * len(value) if parts[-1] is Ellipsis else parts
        return len(value) == len(wanted) and all(map(_is, value, wanted, [most] * len(value)))
    if kind is int:
        return type(value) is int and 0 <= value <= most
    if kind is float:
        return (type(value) is int and abs(value) < 1 << 64) or (isinstance(value, float) and math.isfinite(value))
    return isinstance(value, kind) and (not isinstance(value, str) or len(value) <= LONGEST_TEXT)
