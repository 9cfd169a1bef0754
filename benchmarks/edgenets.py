"""ESPNetv2, published small networks for Cityscapes, on pictures with its 19 train ids, beside ours on the same.

    git clone https://github.com/sacmehta/EdgeNets
    python benchmarks/edgenets.py EDGENETS --data CITYSCAPES [--split val] [--name espnetv2_s_2.0_city_512x256]

Their own code and weights (MIT) run on one thread; pictures are scaled to the size in the name, and logits back to
the labels', corner to corner as there. `segnext eval --data CITYSCAPES` gives the figures to set beside.
"""

import argparse
import re
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from segnext.data.formats.public.open import open_data
from segnext.evaluation.metrics import Metrics, confusion_matrix
from segnext.progress import progress

NAME = re.compile(r"espnetv2_s_(?P<scale>[\d.]+)_city_(?P<width>\d+)x(?P<height>\d+)")
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # their data_transforms.py


def network(clone: Path, name: re.Match[str]) -> nn.Module:
    """With the weights in the clone; of its 20 classes the last is what is ignored."""
    sys.path.insert(0, str(clone))
    args = argparse.Namespace(num_classes=1000, channels=3, weights="", s=float(name["scale"]))
    build = import_module("model.segmentation.espnetv2").ESPNetv2Segmentation
    model: nn.Module = build(args, classes=20, dataset="city")
    file = clone / "model/segmentation/model_zoo/espnetv2" / f"{name[0]}.pth"
    model.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))
    return model.eval()


@torch.inference_mode()
def labels_of(
    model: nn.Module, image: NDArray[np.uint8], size: tuple[int, int], back: tuple[int, ...]
) -> NDArray[np.uint8]:
    """The class of each pixel at the size `back`, of a picture that the network sees at `size` (width, height)."""
    scaled = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR), np.float32) / 255
    given = torch.from_numpy(((scaled - MEAN) / STD).astype(np.float32)).permute(2, 0, 1)[None]
    logits = F.interpolate(model(given), back, mode="bilinear", align_corners=True)[0, :19]
    return logits.argmax(0).numpy().astype(np.uint8)


def main() -> None:
    """Measure, and print the IoU of each class."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("edgenets", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", default="val")
    parser.add_argument("--name", type=NAME.fullmatch, default="espnetv2_s_2.0_city_512x256", metavar="WEIGHTS")
    args = parser.parse_args()
    torch.set_num_threads(1)
    data, model = open_data(args.data, None), network(args.edgenets, args.name)
    labels, pairs = data.labels, data.pairs(args.split)
    total = np.zeros((19, 19), np.int64)
    size = (int(args.name["width"]), int(args.name["height"]))
    with progress("pictures") as watch:
        for done, pair in enumerate(pairs, 1):
            truth = pair.read_mask(labels)
            total += confusion_matrix(
                truth, labels_of(model, np.asarray(pair.read_image(), np.uint8), size, truth.shape), 19, labels.ignore
            )
            watch(args.name[0], done, len(pairs))
    metrics = Metrics(total, labels.classes, len(pairs))
    for name, iou in zip(metrics.classes, metrics.iou, strict=True):
        print(f"{name:20}{100 * iou:6.1f}")
    print(f"{'mean':20}{100 * metrics.miou:6.1f} % of {len(pairs)} pictures")


if __name__ == "__main__":
    main()
