"""How far the engines' labels agree with the plain path's on a labelled split, and what that does to the mIoU.

    python benchmarks/agreement.py --data CAMVID [--split val] [--weights segnext_t.camvid] [--json F]

Plain is what the released code does: the trained network as it is, eager, float32, contiguous, its logits resized to
the picture and their argmax taken.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from segnext.data.folder import Folder, read_mask
from segnext.evaluation.metrics import Metrics, confusion_matrix
from segnext.imageio import read_image
from segnext.inference.load import load
from segnext.inference.prepare import prepare
from segnext.inference.runtime import EngineName, PrecisionName
from segnext.inference.segmenter import Segmenter
from segnext.model.config import aligns_corners
from segnext.preprocess import Image, padding

ENGINES: tuple[tuple[EngineName, PrecisionName], ...] = (
    ("torch", "fp32"),
    ("torch", "bf16"),
    ("openvino", "fp32"),
    ("openvino", "bf16"),
    ("onnxruntime", "fp32"),
)


@torch.inference_mode()
def plain(segmenter: Segmenter, image: Image) -> NDArray[np.uint8]:
    """The released code's way."""
    height, width = image.shape[:2]
    below, right = padding(height, width, segmenter.config.strides[-1])
    covered = (height + below, width + right)
    x = prepare(image, segmenter.preprocess, covered)
    model = segmenter.model.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    logits = model.decoder(model.encoder(torch.from_numpy(x).permute(0, 3, 1, 2).contiguous()))
    logits = F.interpolate(logits, size=covered, mode="bilinear", align_corners=aligns_corners(segmenter.config))
    labels = logits[0, :, :height, :width].softmax(0).argmax(0)
    return np.asarray(labels.numpy(), np.uint8)


def main() -> None:
    """Measure, print a table, and write it as JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", default="val")
    parser.add_argument("--weights", default="segnext_t.camvid")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    folder = Folder.open(args.data)
    pairs, labels = folder.pairs(args.split), folder.labels
    segmenters = {f"{e} {p}": load(args.weights, "cpu", engine=e, precision=p) for e, p in ENGINES}
    first = next(iter(segmenters.values()))
    confusion = {name: np.zeros((len(labels), len(labels)), np.int64) for name in ("plain", *segmenters)}
    agree, pixels = dict.fromkeys(segmenters, 0), 0
    for pair in pairs:
        image, truth = read_image(pair.image), read_mask(pair.mask, labels)
        reference = plain(first, image)
        confusion["plain"] += confusion_matrix(truth, reference, len(labels), labels.ignore)
        pixels += reference.size
        for name, segmenter in segmenters.items():
            mask = segmenter(image).mask
            agree[name] += int((mask == reference).sum())
            confusion[name] += confusion_matrix(truth, mask, len(labels), labels.ignore)
    report = {
        name: {
            "miou": Metrics(matrix, labels.classes, len(pairs)).miou,
            "agreement": 1.0 if name == "plain" else agree[name] / pixels,
        }
        for name, matrix in confusion.items()
    }
    print(f"{'':18}{'mIoU %':>8}{'labels as plain %':>20}   ({len(pairs)} pictures)")
    for name, row in report.items():
        print(f"{name:18}{100 * row['miou']:8.3f}{100 * row['agreement']:20.4f}")
    if args.json:
        args.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
