"""Weights as the Hugging Face Hub lays them out: a folder with model.safetensors, config.json and a model card.

`model.safetensors` is our weights file, header and all, and the only file that loading reads. `config.json` says the
same to people and to the Hub, which counts downloads by it, and both it and `preprocessor_config.json` to the
transformers library; see `integrations.transformers`.
"""

import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from segnext.checkpoint.cache import offline
from segnext.checkpoint.card import model_card
from segnext.checkpoint.weights import Weights, description, save_weights
from segnext.errors import SegNextError
from segnext.files import replacing
from segnext.model.config import corner_pixels
from segnext.progress import is_terminal

MODEL, CONFIG, CARD = "model.safetensors", "config.json", "README.md"
PROCESSOR = "preprocessor_config.json"


def save_folder(weights: Weights, folder: Path, *, half: bool = False, licence: str | None = None) -> None:
    """Write `weights` as a folder: model.safetensors, config.json, preprocessor_config.json and README.md, the
    model card.

    Args:
        weights: what to write.
        folder: made when it is not there; files of these names in it are replaced.
        half: see `save_weights`.
        licence: of the weights, as the Hub writes it, such as "apache-2.0"; None takes what their provenance says.

    Raises:
        SegNextError: when the folder cannot be written.
    """
    config = {
        "model_type": "segnext",
        "architectures": ["SegNextForSemanticSegmentation"],
        **description(weights),
        "id2label": dict(enumerate(weights.labels.classes)),
        "label2id": {name: label for label, name in enumerate(weights.labels.classes)},
    }
    texts = {
        CONFIG: json.dumps(config, ensure_ascii=False, indent=2) + "\n",
        PROCESSOR: json.dumps(_processor(weights), ensure_ascii=False, indent=2) + "\n",
        CARD: model_card(weights, licence=licence),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        save_weights(weights, folder / MODEL, half=half)
        for name, text in texts.items():
            with replacing(folder / name) as temporary:
                temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        raise SegNextError(f"{folder}: cannot be written ({error.strerror}); choose another folder") from error


def _processor(weights: Weights) -> dict[str, Any]:
    """The fields of `integrations.transformers.SegNextImageProcessor`."""
    config = weights.config
    return {
        "image_processor_type": "SegNextImageProcessor",
        "preprocess": asdict(weights.preprocess),
        "stride": config.strides[-1],
        "logits_stride": config.logits_stride,
        "corners": corner_pixels(config),
        "ignore": weights.labels.ignore,
    }


def fetch_repository(
    repo_id: str, *, revision: str | None = None, token: str | None = None, local_files_only: bool = False
) -> Path:
    """The model.safetensors of a Hub repository, in the Hub client's own cache.

    Args:
        repo_id: OWNER/NAME.
        revision: branch, tag or commit; None for the newest.
        token: of an account that may read it; None takes the one logged in with, if any.
        local_files_only: take what was downloaded before, and never use the network.

    Raises:
        SegNextError: when the client is not installed, or there is no such repository, file or network.
    """
    hub = _client(f"no file or folder '{repo_id}'; to look for it on the Hugging Face Hub")
    try:
        with _quiet(hub):
            folder = hub.HfApi(token=token, library_name="segnext").snapshot_download(
                repo_id,
                revision=revision,
                allow_patterns=[MODEL, CONFIG],
                local_files_only=local_files_only or offline(),
            )
    except (hub.errors.RepositoryNotFoundError, hub.errors.RevisionNotFoundError) as error:
        at = f" at {revision}" if revision else ""
        raise SegNextError(
            f"no file or folder '{repo_id}', and no Hugging Face repository of that name{at} that you may read; check "
            "the name, and log in with 'hf auth login' if it is private"
        ) from error
    except Exception as error:  # the client's own errors and those of its HTTP library, which changed between versions
        raise SegNextError(
            f"no file or folder '{repo_id}', and the Hugging Face repository of that name could not be read "
            f"({_first_line(error)}); check the name and the network"
        ) from error
    if not (Path(folder) / MODEL).is_file():
        raise SegNextError(f"Hugging Face repository '{repo_id}': holds no {MODEL}; it is not one of segnext's models")
    return Path(folder) / MODEL


def push(
    weights: Weights,
    repo_id: str,
    *,
    half: bool = False,
    licence: str | None = None,
    private: bool = False,
    token: str | None = None,
    commit_message: str = "Upload SegNeXt weights",
) -> str:
    """Upload `weights` to a Hub repository, made when it is not there.

    Args:
        weights: what to upload, as `save_folder` writes it.
        repo_id: OWNER/NAME.
        half: see `save_weights`.
        licence: see `save_folder`.
        private: whether a new repository is private.
        token: of an account that may write it; None takes the one logged in with.
        commit_message: of the upload.

    Returns:
        The repository's address.

    Raises:
        SegNextError: when the client is not installed, or the Hub refuses.
    """
    hub = _client("to upload to the Hugging Face Hub")
    api = hub.HfApi(token=token, library_name="segnext")
    with tempfile.TemporaryDirectory() as folder:
        save_folder(weights, Path(folder), half=half, licence=licence)
        try:
            with _quiet(hub):
                address = api.create_repo(repo_id, private=private, exist_ok=True)
                api.upload_folder(repo_id=repo_id, folder_path=folder, commit_message=commit_message)
        except Exception as error:  # see above
            raise SegNextError(
                f"Hugging Face repository '{repo_id}': could not be written ({_first_line(error)}); log in with "
                "'hf auth login', or give a token that may write it"
            ) from error
    return str(address)


def _client(wish: str) -> Any:
    """The module huggingface_hub, an optional dependency."""
    try:
        import huggingface_hub
        import huggingface_hub.errors
        import huggingface_hub.utils
    except ImportError as error:
        raise SegNextError(f"{wish}, install its client with: pip install 'segnext[hub]'") from error
    return huggingface_hub


@contextmanager
def _quiet(hub: Any) -> Iterator[None]:
    """No progress bars of the client where nobody looks at a terminal."""
    silence = not is_terminal(sys.stderr) and not hub.utils.are_progress_bars_disabled()
    if silence:
        hub.utils.disable_progress_bars()
    try:
        yield
    finally:
        if silence:
            hub.utils.enable_progress_bars()


def _first_line(error: BaseException) -> str:
    """What went wrong, and why if that is said."""
    lines = str(error).strip().splitlines()
    line = lines[0].rstrip(".") if lines else type(error).__name__
    cause = _first_line(error.__cause__) if error.__cause__ else ""
    return line if cause in line else f"{line}: {cause}"
