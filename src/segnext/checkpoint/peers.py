"""Encoders of other networks in files by others: torchvision's, their authors', and transformers' ViT."""

from collections.abc import Mapping

from torch import Tensor

from segnext.checkpoint.checkpoint import Checkpoint
from segnext.errors import SegNextError
from segnext.model.encoders.vit import ViT, from_transformers
from segnext.model.network import Network

PREFIXES = ("encoder.", "", "module.", "backbone.", "module.backbone.", "model.", "features.")


def encoder_tensors(model: Network, checkpoint: Checkpoint) -> dict[str, Tensor]:
    """The tensors of the model's encoder, by our names, in a file that has them under the names of its authors.

    What the file has beside them, such as a classifier, is left out.

    Raises:
        SegNextError: when there are none.
    """
    encoder, found = model.encoder, checkpoint.state
    try:
        if isinstance(encoder, ViT) and any("position_embeddings" in name for name in found):
            side = round((encoder.positions.pos_embed.shape[1] - 1) ** 0.5)
            return {f"encoder.{name}": x for name, x in from_transformers(found, side).items()}
    except KeyError as error:
        raise SegNextError(f"{checkpoint.path}: {error} is missing; give the whole ViT of transformers") from error
    wanted = encoder.state_dict()
    best = max((_stripped(found, prefix) for prefix in PREFIXES), key=lambda state: len(state.keys() & wanted.keys()))
    state = {f"encoder.{name}": x for name, x in best.items() if name in wanted}
    if not state:
        raise SegNextError(
            f"{checkpoint.path}: none of its {len(found)} tensors is one of a {type(encoder).__name__}; give weights "
            "of this encoder, under the names of its authors or torchvision"
        )
    return state


def _stripped(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): x for name, x in state.items() if name.startswith(prefix)}
