"""Weights that are downloaded by name: which file each stands for. A name always stands for one and the same file.

Those of the authors and OpenMMLab, and our own beyond the few that ship with the package, which are in the repository's
folder weights/ and among the project's releases.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass

OPENMMLAB = "https://download.openmmlab.com/mmsegmentation/v0.5/"
AUTHORS = "https://cloud.tsinghua.edu.cn/f/{}/?dl=1"
RELEASES = "https://github.com/segnext/segnext/releases/download/weights/"
LIMITS = {"t": 80_000_000, "s": 250_000_000, "b": 500_000_000, "l": 900_000_000}
LICENCE = "Apache-2.0"
LICENCE_NOTE = (
    "These are weights of the SegNeXt authors' models (Guo et al., NeurIPS 2022), or OpenMMLab's of the same models. "
    'Their licence reads Apache-2.0 and "for commercial use, please contact the authors".'
)
OUR_LICENCE = "research only"
OUR_NOTE = "These weights were trained on pictures that are for research only, and so are they."


@dataclass(frozen=True)
class Published:
    """A published checkpoint file.

    Attributes:
        name: what users call it, such as segnext_b.ade20k.
        file: name of the file, also on mirrors.
        url: where its publisher keeps it.
        sha256: the start of its SHA-256; empty where the publisher states none.
        labels: name of the label set; None for an encoder alone.
        miou: published mIoU of the model on the label set's val split at a single scale, 0..1; None for an encoder.
        rank: of the matrix decomposition, where the file does not say it and its publisher's configurations say another
            one than the authors'; None for the authors'.
        top1: published ImageNet-1K top-1 accuracy, 0..1; None for a whole model.
        licence: of the weights.
        licence_note: what has to be said of it.
    """

    name: str
    file: str
    url: str
    sha256: str = ""
    labels: str | None = None
    miou: float | None = None
    top1: float | None = None
    rank: int | None = None
    licence: str = LICENCE
    licence_note: str = LICENCE_NOTE

    @property
    def ours(self) -> bool:
        """Whether it is a weights file of this package, of which nothing has to be converted."""
        return self.file.endswith(".safetensors")

    @property
    def limit(self) -> int:
        """Bytes that the file has at most: four times the weights, room for what an optimiser keeps."""
        return next(limit for size, limit in LIMITS.items() if f"_{size}." in f"{self.name}.")

    def urls(self) -> list[str]:
        """Where to look for it, in this order: the mirrors in SEGNEXT_MIRRORS, then the publisher.

        A mirror is the URL of a folder that holds the files under the names in `file`; commas divide several.
        """
        mirrors = [mirror.strip().rstrip("/") for mirror in os.environ.get("SEGNEXT_MIRRORS", "").split(",")]
        return [f"{mirror}/{self.file}" for mirror in mirrors if mirror] + [self.url]


def _encoder(size: str, stamp: str, top1: float) -> Published:
    file = f"mscan_{size}_{stamp}.pth"
    url = f"{OPENMMLAB}pretrain/segnext/{file}"
    return Published(f"mscan_{size}.imagenet", file, url, stamp[-8:], top1=top1)


def _openmmlab(size: str, stamp: str, miou: float) -> Published:
    folder = f"segnext_mscan-{size}_1x16_512x512_adamw_160k_ade20k"
    file = f"{folder}_{stamp}.pth"
    url = f"{OPENMMLAB}segnext/{folder}/{file}"
    return Published(f"segnext_{size}.ade20k", file, url, stamp[-8:], "ade20k", miou, rank=16)  # inherited from T's


def _authors(name: str, share: str, labels: str, miou: float) -> Published:
    return Published(name, f"{name}.pth", AUTHORS.format(share), "", labels, miou)


def _ours(name: str, sha256: str) -> Published:
    file = f"{name}.safetensors"
    return Published(name, file, f"{RELEASES}{file}", sha256, licence=OUR_LICENCE, licence_note=OUR_NOTE)


_FILES: Sequence[Published] = (
    _encoder("t", "20230227-119e8c9f", 0.759),
    _encoder("s", "20230227-f33ccdf2", 0.812),
    _encoder("b", "20230227-3ab7d230", 0.830),
    _encoder("l", "20230227-cef260d4", 0.839),
    _openmmlab("t", "20230210_140244-05bd8466", 0.4150),
    _openmmlab("s", "20230214_113014-43013668", 0.4416),
    _openmmlab("b", "20230209_172053-b6f6c70c", 0.4803),
    _openmmlab("l", "20230209_172055-19b14b63", 0.5099),
    _authors("segnext_t.ade20k.authors", "5da98841b8384ba0988a", "ade20k", 0.411),
    _authors("segnext_s.ade20k.authors", "b2d1eb94f5944d60b3d2", "ade20k", 0.443),
    _authors("segnext_b.ade20k.authors", "1ea8000916284493810b", "ade20k", 0.485),
    _authors("segnext_l.ade20k.authors", "d4f8e1020643414fbf7f", "ade20k", 0.510),
    _authors("segnext_t.cityscapes", "b1613af9955849bba910", "cityscapes", 0.798),
    _authors("segnext_s.cityscapes", "14148cf5371a4f248db1", "cityscapes", 0.813),
    _authors("segnext_b.cityscapes", "adb49029f66f426bb046", "cityscapes", 0.826),
    _authors("segnext_l.cityscapes", "b5308d092b034f81aac0", "cityscapes", 0.832),
    _ours("segnext_t.vessels", "05a959f6a8abc0f913b13faed5844e7d5dea38c494a6f19329064e79370bf1f0"),
    _ours("segnext_t.defects", "c5924d107b6d510786a3117773d4c06304b60d0894e675ece221b12cd0ccb6b0"),
    _ours("segnext_t.dubai", "0b6197c18edd1b912e3847067bfd493209fe765f9d289983f17011b2ea06d96e"),
)

PUBLISHED = {file.name: file for file in _FILES}
