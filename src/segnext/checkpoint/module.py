"""Networks as torch modules: by the name of a model or of weights, and as folders that load."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from segnext.checkpoint.catalogue import PUBLISHED
from segnext.checkpoint.find import HUB_ID, PACKAGED, weights_path
from segnext.checkpoint.weights import Weights, load_weights
from segnext.data.known import labels_for_count
from segnext.errors import SegNextError
from segnext.labels import Labels
from segnext.model.config import PRESETS, preset
from segnext.model.families import build
from segnext.model.network import Network
from segnext.preprocess import Preprocess

# What arguments are called elsewhere -> here.
CALLED = {
    **dict.fromkeys(("in_chans", "input_channels", "n_channels", "channels_in", "bands"), "in_channels"),
    **dict.fromkeys(("classes", "n_classes", "nclass", "num_labels", "nc", "out_channels"), "num_classes"),
    **dict.fromkeys(("drop_path_rate", "drop_path_prob"), "drop_path"),
    **dict.fromkeys(("drop_rate", "dropout_ratio"), "dropout"),
    **dict.fromkeys(("decoder_name", "head", "decode_head"), "decoder"),
    **dict.fromkeys(("model_name", "arch", "encoder_name", "backbone", "encoder"), "name, the first argument"),
}
WEIGHTS = ("pretrained", "weights", "encoder_weights", "checkpoint_path", "checkpoint", "pretrained_cfg")
WITHOUT = {"activation": "a network gives logits, of which `segnext.load` makes labels"}


def create_model(
    name: str = "",
    num_classes: int | None = None,
    in_channels: int | None = None,
    *,
    decoder: str | None = None,
    **changes: Any,
) -> Network:
    """A network with random weights, or with those that a name of weights stands for.

    Args:
        name: a model, such as segnext_t, segnext_s, segnext_b, segnext_l (table 2 of the paper) or segformer_b0; or
            weights as `segnext.load` takes them, such as segnext_t.camvid, a file or a run's folder.
        num_classes: channels of the logits; None for 150, or the weights' own. Weights of another number keep all but
            their classifier, which starts from random weights.
        in_channels: bands of the image; None for 3, or the weights' own. The stem of weights for others is spread.
        decoder: of a SegNeXt "ham", the Hamburger head, or "mlp", "aspp", "psp", "danet"; None for the published one.
        changes: any other field of `ModelConfig`, such as strips=(7, 11) or context="vq", or of the model's own
            configuration.

    Returns:
        A module with `.encoder` and `.decoder`; see `Network`. With weights it is in evaluation mode.

    Raises:
        SegNextError: for an unknown name, an impossible value, or a change that would have no effect.
    """
    _require_known(name, changes)
    if not name:
        raise SegNextError("create_model wants a name: of a model, such as segnext_t, or of weights")
    given = {"num_classes": num_classes, "in_channels": in_channels, "decoder": decoder}
    changes |= {key: value for key, value in given.items() if value is not None}
    if name in PRESETS or not _is_weights(name):
        return build(preset(name, **changes))
    if wrong := changes.keys() - {"num_classes", "in_channels"}:
        raise SegNextError(
            f"the weights {name} have their own {', '.join(sorted(wrong))}; leave it out, or name a model"
        )
    path = weights_path(name)
    weights = load_weights(path)
    config = replace(weights.config, **changes)
    if config == weights.config:
        return weights.model()
    from segnext.checkpoint.checkpoint import read_checkpoint
    from segnext.checkpoint.start import start_network

    model = build(config)
    same = config.num_classes == weights.config.num_classes
    start_network(model, read_checkpoint(path), weights.labels.classes if same else ())
    return model.eval()


def save_pretrained(
    model: Network,
    folder: str | Path,
    *,
    labels: Labels | None = None,
    preprocess: Preprocess | None = None,
    half: bool = False,
    licence: str | None = None,
) -> None:
    """Write a module as a folder that `segnext.load` takes and the Hugging Face Hub shows; see `hub.save_folder`.

    Args:
        model: from `create_model`, or a segmenter's, trained on or not.
        folder: made when it is not there.
        labels: names and colours of the classes; None for what is usual for their number.
        preprocess: how pictures are prepared; None for RGB pictures with ImageNet's mean and standard deviation.
        half: see `save_weights`.
        licence: of the weights.

    Raises:
        SegNextError: when the folder cannot be written, or `labels` are of another number of classes.
    """
    from segnext.checkpoint.hub import save_folder

    labels = labels or labels_for_count(model.config.num_classes)
    if len(labels) != model.config.num_classes:
        raise SegNextError(f"the model has {model.config.num_classes} classes, the labels {len(labels)}")
    weights = Weights(model.config, labels, preprocess or Preprocess(), model.state_dict())
    save_folder(weights, Path(folder), half=half, licence=licence)


def _is_weights(name: str) -> bool:
    return name in PACKAGED or name in PUBLISHED or Path(name).exists() or bool(HUB_ID.fullmatch(name))


def _require_known(name: str, changes: dict[str, Any]) -> None:
    """Answer what other libraries' arguments mean here."""
    asked = [called for called in WEIGHTS if changes.pop(called, None)]
    if asked:
        known = [each for each in (*PACKAGED, *PUBLISHED) if each.startswith(f"{name}.")]
        offer = f", such as {', '.join(known)}" if known else ""
        raise SegNextError(
            f"create_model takes no '{asked[0]}'; weights are chosen by their name in place of the model's{offer}"
        )
    for called in changes:
        if called in CALLED:
            raise SegNextError(f"create_model takes no '{called}'; here it is called {CALLED[called]}")
        if called in WITHOUT:
            raise SegNextError(f"create_model takes no '{called}'; {WITHOUT[called]}")
