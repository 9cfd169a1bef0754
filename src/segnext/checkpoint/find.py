"""The file that a name of weights stands for."""

import re
from importlib import resources
from pathlib import Path

from segnext.checkpoint.catalogue import PUBLISHED
from segnext.checkpoint.exported import EXPORTED
from segnext.choices import either, nearest
from segnext.errors import SegNextError
from segnext.files import beside

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")  # OWNER/NAME
DEFAULT = "segnext_t.street"
FOLDER = Path(str(resources.files("segnext").joinpath("weights")))
PACKAGED = tuple(sorted(file.stem for file in FOLDER.glob("*.safetensors")))  # names of what ships with us
IN_A_FOLDER = ("model.safetensors", "best.safetensors", "last.safetensors")


def weights_path(
    name: str | Path, *, revision: str | None = None, token: str | None = None, local_files_only: bool = False
) -> Path:
    """The file that a name of weights stands for, downloaded when it has to be.

    Args:
        name: one of `PACKAGED`; or of published weights, such as segnext_b.ade20k or mscan_b.imagenet (an encoder);
            or a .safetensors file, or an exported one, .onnx or .xml; or a folder, such as a training run's, that holds
            model.safetensors, best.safetensors or last.safetensors, tried in this order; or OWNER/NAME of a Hugging
            Face repository.
        revision: of a repository, its branch, tag or commit; None for the newest.
        token: of an account that may read the repository; None takes the one logged in with, if any.
        local_files_only: take what was downloaded before, and never use the network.

    Raises:
        SegNextError: when it is none of these, or cannot be downloaded.
    """
    if str(name) in PACKAGED:
        return FOLDER / f"{name}.safetensors"
    if str(name) in PUBLISHED:
        from segnext.checkpoint.cache import published_file

        return published_file(str(name), local_files_only=local_files_only)
    path = Path(name)
    if path.is_file():
        return path
    if path.is_dir():
        for file in IN_A_FOLDER:
            if (path / file).is_file():
                return path / file
        raise SegNextError(f"{path}: no weights in this folder; one of {', '.join(IN_A_FOLDER)} must be in it")
    if _is_lost(path):
        raise SegNextError(f"no weights '{name}': {path.parent} holds no {path.name}{beside(path)}")
    if isinstance(name, str) and HUB_ID.fullmatch(name) and not name.endswith((".safetensors", ".pth", *EXPORTED)):
        from segnext.checkpoint.hub import fetch_repository

        return fetch_repository(name, revision=revision, token=token, local_files_only=local_files_only)
    raise SegNextError(f"no weights '{name}'{beside(path)}; {_meant(str(name))}")


def _is_lost(path: Path) -> bool:
    """Whether a path that is not there can be none but a local one: its folder is there."""
    return len(path.parts) > 1 and path.parent.is_dir()


def _meant(name: str) -> str:
    if near := nearest(name, (*PACKAGED, *PUBLISHED), 0.85):
        return f"did you mean {either(near)}?"
    return (
        f"give a packaged name ({', '.join(PACKAGED) or 'none in this copy'}), "
        "a .safetensors file, a training run's folder, OWNER/NAME on the Hugging Face Hub, or a published name such as "
        f"{', '.join(list(PUBLISHED)[::5])}"
    )
