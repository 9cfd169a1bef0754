"""Label sets of public data sets: class names, colours and the ignore label, one YAML file each."""

from importlib.resources import files

from segnext.choices import meant
from segnext.documents import parse_yaml
from segnext.errors import SegNextError
from segnext.labels import Labels, distinct_color

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
        raise SegNextError(f"'{name}' is not a known label set; {meant(known, KNOWN)}")
    file = _FOLDER / f"{known}.yaml"
    content = parse_yaml(file.read_text(encoding="utf-8"), f"label set '{known}'")
    if ignore is not None:
        content["ignore"] = ignore
    return Labels.from_dict(content, f"label set '{known}'")


def labels_for_count(num_classes: int) -> Labels:
    """What the labels of a checkpoint that does not say so mean, told by their number.

    The label sets that the published SegNeXt models use are known by their sizes (150 ADE20K, 19 Cityscapes, 171
    COCO-Stuff, ...); any other number gets classes "class 0", "class 1", ... in distinct colours.
    """
    for name in ("ade20k", "cityscapes", "coco_stuff", "voc", "pascal_context", "isaid"):
        labels = known_labels(name)
        if len(labels) == num_classes:
            return labels
    names = tuple(f"class {label}" for label in range(num_classes))
    return Labels("unknown", names, tuple(distinct_color(label) for label in range(num_classes)), 255)
