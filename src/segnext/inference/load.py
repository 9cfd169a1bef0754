"""From the name of weights to a segmenter."""

from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from segnext.errors import SegNextError

if TYPE_CHECKING:
    from segnext.inference.segmenter import Segmenter

DEFAULT = "segnext_t.camvid"
FOLDER = Path(str(resources.files("segnext").joinpath("weights")))
PACKAGED = tuple(sorted(file.stem for file in FOLDER.glob("*.safetensors")))  # names of what ships with us
IN_A_FOLDER = ("model.safetensors", "best.safetensors", "last.safetensors")


def weights_path(name: str | Path) -> Path:
    """The file that a name of weights stands for.

    Args:
        name: one of `PACKAGED`; or a .safetensors file; or a folder, such as a training run's, that holds
            model.safetensors, best.safetensors or last.safetensors, tried in this order.

    Raises:
        SegNextError: when it is none of these.
    """
    if str(name) in PACKAGED:
        return FOLDER / f"{name}.safetensors"
    path = Path(name)
    if path.is_file():
        return path
    if path.is_dir():
        for file in IN_A_FOLDER:
            if (path / file).is_file():
                return path / file
        raise SegNextError(f"{path}: no weights in this folder; one of {', '.join(IN_A_FOLDER)} must be in it")
    raise SegNextError(
        f"no weights '{name}'; give a packaged name ({', '.join(PACKAGED) or 'none in this copy'}), "
        "a .safetensors file or a training run's folder"
    )


def load(name: str | Path = DEFAULT, device: str = "auto") -> "Segmenter":
    """A segmenter with the weights that `name` stands for; see `weights_path`.

    Args:
        name: a packaged name, a .safetensors file or a folder.
        device: "auto" (a CUDA device if there is one, else the CPU), "cpu" or "cuda".

    Raises:
        SegNextError: when there are no such weights, they are damaged, or the device is absent.
    """
    from segnext.checkpoint.file import load_weights
    from segnext.inference.segmenter import Segmenter

    return Segmenter(load_weights(weights_path(name)), device)
