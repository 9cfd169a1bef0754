"""Masks from an exported network, with numpy, Pillow and onnxruntime alone.

segnext export segnext_t.camvid --to onnx --out camvid.onnx
python examples/predict_onnx.py camvid.onnx photo.jpg mask.png
"""

import json
import math
import sys

import numpy as np
import onnxruntime
from PIL import Image


def main(network: str, picture: str, out: str) -> None:
    """Segment `picture` with `network`, write the mask in the classes' colours, print the classes' shares."""
    session = onnxruntime.InferenceSession(network, providers=["CPUExecutionProvider"])
    about = session.get_modelmeta().custom_metadata_map
    image = Image.open(picture).convert("RGB")
    size = image.size
    short, long = (json.loads(about.get(name, "null")) for name in ("short_side", "long_side"))
    if short or long:  # the size that the network was trained at
        scale = min((long or 4 * short) / max(size), short / min(size) if short else math.inf)
        image = image.resize([max(1, int(length * scale + 0.5)) for length in size], Image.Resampling.BOX)
    (labels,) = session.run(["labels"], {"picture": np.asarray(image)[None]})
    mask = Image.fromarray(labels[0]).resize(size, Image.Resampling.NEAREST)
    mask.putpalette([channel for color in json.loads(about["colors"]) for channel in color])
    mask.save(out)
    for label, name in enumerate(json.loads(about["classes"])):
        print(f"{name:12}{(labels == label).mean():8.1%}")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("usage: python predict_onnx.py NETWORK.onnx PICTURE MASK.png")
    main(*sys.argv[1:])
