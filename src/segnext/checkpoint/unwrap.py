"""Where in a file the tensors of a network are: under which keys, and behind which prefix of their names."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

# The stem's weight in each layout; what stands before it stands before all tensors of the network.
STEMS = (
    "encoder.stages.0.embed.0.weight",
    "segformer.encoder.patch_embeddings.0.proj.weight",
    "segformer.stages.0.patch_embeddings.proj.weight",
    "backbone.patch_embed1.proj.0.weight",
    "patch_embed1.proj.0.weight",  # an encoder alone
)
BESIDE = ("auxiliary_head.", "ema_")  # what tools keep beside a network, whose inference does not need it
DEEPEST = 3  # dicts within dicts
# What torch puts anywhere into a name: of several devices, of a module that is compiled, sharded or checkpointed.
WRAPPERS = re.compile(r"(?<![^.])(module|_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")
AVERAGE = re.compile("ema|swa|averag|teacher|shadow", re.IGNORECASE)  # in what trainers call a moving average


def states(content: Any, path: str = "", depth: int = 0) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """Every dict of tensors by name in what was unpickled, and the keys that lead to it."""
    if not isinstance(content, Mapping) or depth > DEEPEST or not content:
        return
    if all(isinstance(name, str) and isinstance(value, Tensor) for name, value in content.items()):
        yield path, dict(content)
        return
    for key, value in content.items():
        if isinstance(key, str):
            yield from states(value, f"{path}.{key}", depth + 1)


def said_beside(content: Any, depth: int = 0) -> Mapping[str, Any]:
    """The "meta" of OpenMMLab's tools in what was unpickled, at whatever depth; nothing where there is none."""
    if not isinstance(content, Mapping) or depth > DEEPEST:
        return {}
    meta = content.get("meta")
    if isinstance(meta, Mapping):
        return meta
    return next(filter(None, (said_beside(value, depth + 1) for value in content.values())), {})


def choose(found: list[tuple[str, dict[str, Tensor]]]) -> dict[str, Tensor] | None:
    """The state dict that holds a network, the trained one before its moving average; None where there is none."""
    ranked = sorted(found, key=lambda entry: (not prefixes(entry[1]), bool(AVERAGE.search(entry[0]))))
    if not ranked or ("optimizer" in ranked[0][0] and not prefixes(ranked[0][1])):
        return None
    return ranked[0][1]


def prefixes(names: Mapping[str, Tensor]) -> list[str]:
    """What stands before the names of each network among these tensors, the trained one first."""
    found = dict.fromkeys(name.removesuffix(stem) for name in names if (stem := _stem(name)))
    return sorted(found, key=lambda prefix: (bool(AVERAGE.search(prefix)), len(prefix)))


def unwrapped(state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
    """The network's tensors without the prefix that wrappers put before their names, and the names of what is left out.

    Wrappers are those of several devices (module.), of Lightning and other trainers (model., net., ...).
    """
    plain = {WRAPPERS.sub("", name): tensor for name, tensor in state.items()}
    if len(plain) == len(state):  # else two networks differ in nothing but this
        state = plain
    found = prefixes(state)
    if not found:
        return dict(state), []
    first, *others = found
    taken: dict[str, Tensor] = {}
    left = []
    for name, tensor in state.items():
        rest = name.removeprefix(first)
        beside = rest.startswith(BESIDE) or any(name.startswith(other) for other in others if len(other) > len(first))
        if not name.startswith(first) or beside:
            left.append(name)
        else:
            taken[rest] = tensor
    return taken, left


def _stem(name: str) -> str | None:
    return next((stem for stem in STEMS if name == stem or name.endswith(f".{stem}")), None)
