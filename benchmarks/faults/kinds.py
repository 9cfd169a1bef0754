"""The kinds of files that are tried: good ones to begin with, and what reads them."""

import io
import json
import shlex
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL.Image


@dataclass(frozen=True)
class Tried:
    """A kind of file.

    Attributes:
        seeds: good ones.
        read: gives the content of one to what reads it.
        text: whether people write such files.
    """

    seeds: list[bytes]
    read: Callable[[bytes], object]
    text: bool


def pictures(folder: Path) -> Tried:
    """What is segmented, and masks: every format that Pillow writes and we read."""
    from segnext.bands import read_values
    from segnext.data.masks import read_grey
    from segnext.imageio import read_image

    random = np.random.default_rng(0)
    grey = random.integers(0, 256, (48, 40), dtype=np.uint8)
    rgb = PIL.Image.fromarray(np.dstack([grey, grey[::-1], grey[:, ::-1]]))
    kept = [(rgb, kind) for kind in ("png", "jpeg", "tiff", "bmp", "gif", "webp", "ppm")]
    deep = PIL.Image.fromarray(random.integers(0, 65536, (48, 40), dtype=np.uint16))
    kept += [(deep, "png"), (deep, "tiff"), (rgb.quantize(16), "png"), (PIL.Image.fromarray(grey), "jpeg")]
    kept += [(rgb.convert("CMYK"), "jpeg"), (rgb.convert("RGBA"), "png")]
    seeds = []
    for picture, kind in kept:
        file = io.BytesIO()
        exif = picture.getexif()
        exif[0x0112] = 6
        picture.save(file, kind, **({"exif": exif} if kind in ("jpeg", "tiff") else {}))
        seeds.append(file.getvalue())
    readers = (read_image, read_values, read_grey)

    def read(content: bytes) -> None:
        file = folder / "case.png"
        file.write_bytes(content)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            readers[len(content) % len(readers)](file)

    return Tried(seeds, read, text=False)


def headers(folder: Path) -> Tried:
    """Weights files."""
    import torch

    from segnext.checkpoint.weights import Weights, load_weights, save_weights
    from segnext.labels import Labels
    from segnext.model.config import ModelConfig
    from segnext.model.families import build
    from segnext.preprocess import Preprocess

    config = ModelConfig((8, 16, 24, 32), (1, 1, 1, 1), decoder_channels=64, rank=4, num_classes=2)
    labels = Labels("two", ("a", "b"), ((0, 0, 0), (255, 0, 0)))
    file = folder / "case.safetensors"
    save_weights(Weights(config, labels, Preprocess(), build(config).state_dict()), file)
    content = file.read_bytes()
    head = 8 + int.from_bytes(content[:8], "little")

    table = json.loads(content[8:head])
    ours = table["__metadata__"]["segnext"].encode()

    def read(mutated: bytes) -> None:
        if b"__metadata__" not in mutated[:40]:  # what we write into the header
            table["__metadata__"]["segnext"] = mutated.decode("utf-8", "replace")
            mutated = json.dumps(table).encode()
        length = 1 << 40 if len(mutated) % 16 == 0 else len(mutated)
        file.write_bytes(length.to_bytes(8, "little") + mutated + content[head:])
        weights = load_weights(file)
        with torch.inference_mode():
            weights.model()(torch.zeros(1, weights.config.in_channels, 32, 32))

    return Tried([content[8:head], ours, ours, ours], read, text=True)


def yaml(folder: Path) -> Tried:
    """The dataset.yaml of a data set."""
    from segnext.data.folder import Folder

    for part in ("images/train", "masks/train"):
        (folder / part).mkdir(parents=True)
        PIL.Image.new("L", (8, 8)).save(folder / part / "a.png")
    named = b"name: street\nclasses:\n  - {name: road, color: [128, 64, 128]}\n  - {name: car, color: [64, 0, 128]}\n"
    seeds = [named + b"ignore: 255\n", b"classes: [road, car]\nignore: 0\n"]
    seeds += [named + b"bands: [red, green, blue, nir]\nnodata: 0\n", named + b"multi_label: true\n"]

    def read(content: bytes) -> None:
        (folder / "dataset.yaml").write_bytes(content)
        Folder.open(folder).pairs("train")

    return Tried(seeds, read, text=True)


def recipes(folder: Path) -> Tried:
    """A run's recipe."""
    from dataclasses import asdict

    from segnext.cli.pretrain import parse as parse_pretraining
    from segnext.cli.train import parse
    from segnext.plain import to_yaml
    from segnext.pretraining.config import PretrainConfig
    from segnext.training.config import TrainConfig
    from segnext.training.losses.config import Loss

    run = TrainConfig("d", "o", crop=(64, 64), loss=Loss(dice=0.5, class_weights={"car": 2.0}))
    full = [to_yaml(asdict(config)) for config in (run, PretrainConfig("d", "o"))]
    short = "data: d\nout: o\niterations: 10\noptimizer: {lr: 1e-4, betas: [0.9, 0.99]}\nbands: [red, nir]\n"

    def read(content: bytes) -> None:
        file = folder / "case.yaml"
        file.write_bytes(content)
        (parse_pretraining if b"smoothing" in content and b"eval_crop" in content else parse)(["--config", str(file)])

    return Tried([text.encode() for text in (*full, short)], read, text=True)


def flags(folder: Path) -> Tried:
    """Command lines."""
    from segnext.cli import main
    from segnext.cli.train import parse

    lines = (
        "--data d --out o --iterations 10 --crop 64 64 --optimizer.lr 1e-4 --loss.class-weights {car:2}",
        "--data=d --out=o --batch-size 4 --testing.scales 0.5,1 --architecture.strips [7,11] --from w --freeze 2",
        "predict nothing-here.png --slide 512 256 --scales 0.5 1 --flip --short-side 512 --threshold 0.5 --json x.json",
        "eval --data nothing-here --split val --tta --resize multiple --precision fp32 --report x.html",
        "data import nothing-here there --from labels --map 7:0,8:1,*:255 --offset -1 --ignore-color #9b9b9b",
        "data split nothing-here --val 0.2 --group-by prefix --seed 3",
        "info segnext_t --size 512x512 --classes 19",
    )
    commands = {line.split()[0].encode() for line in lines if line[0] != "-"}

    def read(content: bytes) -> None:
        try:
            words = shlex.split(content.decode("utf-8", "surrogateescape").replace("\0", ""))
        except ValueError:  # an open quote: a shell would ask for more
            return
        if words and words[0].encode("utf-8", "surrogateescape") in commands:
            code = main(words)
            if code not in (0, 1, 2):
                raise RuntimeError(f"exit code {code}")
        else:
            parse(words)

    return Tried([line.encode() for line in lines], read, text=True)


def coco(folder: Path) -> Tried:
    """COCO annotations."""
    square, hole = [2, 2, 20, 2, 20, 20, 2, 20], {"size": [32, 48], "counts": [100, 50, 300, 20, 1066]}
    packed = {"size": [32, 48], "counts": "PP1"}
    shapes: list[object] = [[square], [square, [30, 5, 40, 5, 40, 25]], hole, packed]
    content = {
        "images": [{"id": 1, "file_name": "a.png", "width": 48, "height": 32}],
        "categories": [{"id": 1, "name": "road"}, {"id": 2, "name": "car"}],
        "annotations": [
            {"id": number, "image_id": 1, "category_id": 1 + number % 2, "segmentation": shape, "iscrowd": 0,
             "bbox": [2, 2, 18, 18], "area": 324}
            for number, shape in enumerate(shapes)
        ],
    }  # fmt: skip
    return _imported("coco", folder, json.dumps(content).encode(), "annotations.json")


def labelme(folder: Path) -> Tried:
    """Labelme annotations."""
    kinds = {"polygon": [[2, 2], [20, 2], [20, 20]], "rectangle": [[3, 3], [30, 20]], "circle": [[20, 15], [25, 15]]}
    kinds |= {"line": [[0, 0], [40, 30]], "point": [[5, 5]], "linestrip": [[1, 1], [10, 10], [20, 5]]}
    content = {
        "version": "5.0.1",
        "imagePath": "a.png",
        "imageHeight": 32,
        "imageWidth": 48,
        "imageData": None,
        "shapes": [
            {"label": f"c{number % 3}", "shape_type": kind, "points": points, "group_id": None, "flags": {}}
            for number, (kind, points) in enumerate(kinds.items())
        ],
    }
    return _imported("labelme", folder, json.dumps(content).encode(), "a.json")


def _imported(kind: str, folder: Path, seed: bytes, name: str) -> Tried:
    """Annotations that are imported with the picture a.png beside them."""
    import shutil

    from segnext.data.formats.options import Options
    from segnext.data.formats.run import import_dataset

    (folder / "in").mkdir()
    PIL.Image.new("RGB", (48, 32), (90, 120, 30)).save(folder / "in/a.png")

    def read(content: bytes) -> None:
        (folder / "in" / name).write_bytes(content)
        shutil.rmtree(folder / "out", ignore_errors=True)
        import_dataset(kind, folder / "out", Options(source=folder / "in"))

    return Tried([seed], read, text=True)


KINDS: dict[str, Callable[[Path], Tried]] = {
    kind.__name__: kind for kind in (pictures, headers, yaml, recipes, flags, coco, labelme)
}
