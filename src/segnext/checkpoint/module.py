"""Networks as torch modules: by the name of a model or of weights, and as folders that load."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from segnext.checkpoint.catalogue import PUBLISHED
from segnext.checkpoint.find import HUB_ID, PACKAGED, weights_path
from segnext.checkpoint.provenance import Provenance
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
    model.kept_as = replace(weights, state={})
    same = config.num_classes == weights.config.num_classes
    start_network(model, read_checkpoint(path), weights.labels.classes if same else ())
    return model.eval()


def from_pretrained(
    name: str | Path, *, revision: str | None = None, token: str | None = None, local_files_only: bool = False
) -> Network:
    """A network with trained weights, in evaluation mode.

    Args:
        name: see `segnext.load`.
        revision, token, local_files_only: see `checkpoint.find.weights_path`.

    Raises:
        SegNextError: when there are no such weights, or they are damaged.
    """
    return load_weights(weights_path(name, revision=revision, token=token, local_files_only=local_files_only)).model()


def save_pretrained(
    model: Network, folder: str | Path, *, half: bool = False, licence: str | None = None, **described: Any
) -> None:
    """Write a module as a folder that `segnext.load` takes and the Hugging Face Hub shows; see `hub.save_folder`.

    Args:
        model: from `create_model`, or a segmenter's, trained on or not.
        folder: made when it is not there.
        half: see `save_weights`.
        licence: of the weights; None for that of the weights which the model started from, if any.
        described: labels, preprocess, dataset and metrics; see `weights_of`.

    Raises:
        SegNextError: when the folder cannot be written, or what is said does not fit the model.
    """
    from segnext.checkpoint.hub import save_folder

    save_folder(weights_of(model, **described), Path(folder), half=half, licence=licence)


def push_to_hub(
    model: Network,
    repo_id: str,
    *,
    half: bool = False,
    licence: str | None = None,
    private: bool = False,
    token: str | None = None,
    commit_message: str = "Upload SegNeXt weights",
    **described: Any,
) -> str:
    """Upload a module to the Hugging Face repository OWNER/NAME.

    Args:
        model: see `save_pretrained`.
        repo_id, half, licence, private, token, commit_message: see `hub.push`.
        described: labels, preprocess, dataset and metrics; see `weights_of`.

    Returns:
        The repository's address.

    Raises:
        SegNextError: when the client is not installed, the Hub refuses, or what is said does not fit the model.
    """
    from segnext.checkpoint.hub import push

    weights = weights_of(model, **described)
    return push(
        weights, repo_id, half=half, licence=licence, private=private, token=token, commit_message=commit_message
    )


def weights_of(
    model: Network,
    *,
    labels: Labels | None = None,
    preprocess: Preprocess | None = None,
    dataset: str | None = None,
    metrics: Mapping[str, Any] | None = None,
) -> Weights:
    """A module's weights with all that a file of them says.

    Args:
        model: from `create_model`, or a segmenter's, trained on or not.
        labels: names and colours of the classes; None for those of the weights that it was made from, else what is
            usual for their number.
        preprocess: how pictures are prepared; None for that of the weights that it was made from, else that of RGB
            pictures with ImageNet's mean and standard deviation.
        dataset: name of the data that it was trained on.
        metrics: what it reaches, as numbers by name; "miou" and "iou" (by class) as 0..1.

    Raises:
        SegNextError: when labels or bands are of another number than the model's.
    """
    shape, kept = model.config, model.kept_as
    same = kept is not None and (kept.config.num_classes, kept.config.in_channels)
    labels = labels or (kept.labels if same and same[0] == shape.num_classes else labels_for_count(shape.num_classes))
    preprocess = preprocess or (kept.preprocess if same and same[1] == shape.in_channels else Preprocess())
    if len(labels) != shape.num_classes:
        raise SegNextError(f"the model has {shape.num_classes} classes, the labels {len(labels)}")
    if len(preprocess.mean) != shape.in_channels:
        raise SegNextError(
            f"the model takes {shape.in_channels} bands, the preprocessing {len(preprocess.mean)}; give "
            "preprocess=Preprocess(mean, std, bands=Bands(names, names)) of segnext.preprocess"
        )
    provenance = kept.provenance.succession(kept.labels.name, "network") if kept else Provenance()
    said = Provenance(data={"name": dataset} if dataset else None, metrics=dict(metrics) if metrics else None)
    return Weights(shape, labels, preprocess, model.state_dict(), provenance.updated(said))


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
