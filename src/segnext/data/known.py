"""Label sets of public data sets: class names, colours and the ignore label, one YAML file each."""

from importlib.resources import files

import yaml

from segnext.errors import SegNextError
from segnext.labels import Labels

_FOLDER = files("segnext.data") / "label_sets"

KNOWN: tuple[str, ...] = tuple(
    sorted(entry.name.removesuffix(".yaml") for entry in _FOLDER.iterdir() if entry.name.endswith(".yaml"))
)


def known_labels(name: str, ignore: int | None = None) -> Labels:
    """The label set called `name`, in any case, for example "camvid" or "ADE20K".

    `ignore` replaces the label set's own ignore label.

    Raises:
        SegNextError: when there is none of that name (the message lists those that there are), or
            `ignore` is the label of a class or outside 0 to 255.
    """
    known = name.lower()
    if known not in KNOWN:
        raise SegNextError(f"'{name}' is not a known label set; choose one of {', '.join(KNOWN)}")
    file = _FOLDER / f"{known}.yaml"
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    if ignore is not None:
        content["ignore"] = ignore
    return Labels.from_dict(content, f"label set '{known}'")
