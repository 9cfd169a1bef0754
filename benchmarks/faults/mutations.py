"""Damaged files, each a function of its number alone: pictures, dataset.yaml, COCO and labelme annotations."""

import io
import json
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import PIL.Image
import yaml

PICTURES = (
    "PNG,JPEG,TIFF,WEBP,BMP,GIF,PPM,TGA,ICO,PCX,SGI,JPEG2000,DDS,ICNS,AVIF,QOI,16-bit PNG,palette PNG,float TIFF,"
    "deflated TIFF,progressive JPEG,CMYK JPEG,animation"
).split(",")
NUMBERS = (0, 1, -1, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 0x40000000, 20_000)
VALUES: tuple[Any, ...] = (
    *(None, True, "", "x" * 5000, "\ud800", "\0", "\x1b[2J", "../../etc/passwd", "C:\\x", [], {}, [[]], [1], {"a": {}}),
    *(0, -1, 0.5, 1e9, -1e9, 1e300, 10**40, 50_000, 2**31, 2**63, float("nan"), float("inf"), float("-inf")),
)
YAML_LINES = (
    "a: &a [x, x, x]|b: &b [*a, *a, *a, *a]|classes: *b|ignore: .inf|ignore: 0x7f|nodata: 1e999|bands: *b|<<: *a|"
    "? [a]\n: b|classes: !!python/name:os.system|name: !!binary aGk=|- x|multi_label: yes|classes: [no, yes]|\t|"
    f"classes: {'[' * 2000}|x: &x [*x]|--- |%YAML 9"
).split("|")


def picture(number: int, rng: random.Random) -> bytes:
    """A small picture of one of the formats, damaged."""
    return _bytes(bytearray(_encoded(PICTURES[number % len(PICTURES)], number)), rng)


def _encoded(kind: str, number: int) -> bytes:
    values = np.random.default_rng(number).integers(0, 256, (24, 32, 3), np.uint8)
    image, options = PIL.Image.fromarray(values), dict[str, Any]()
    name = kind.split()[-1]
    if kind == "16-bit PNG":
        image = PIL.Image.fromarray(values[..., 0].astype(np.uint16) * 257)
    elif kind == "palette PNG":
        image = image.convert("P")
    elif kind == "float TIFF":
        image = PIL.Image.fromarray(values[..., 0].astype(np.float32))
    elif kind == "deflated TIFF":
        options["compression"] = "tiff_adobe_deflate"
    elif kind == "progressive JPEG":
        options["progressive"] = True
    elif kind == "CMYK JPEG":
        image = image.convert("CMYK")
    elif kind == "animation":
        name, options = "GIF", {"save_all": True, "append_images": [image.rotate(90)]}
    elif kind == "ICNS":
        image = image.resize((64, 64))
    stream = io.BytesIO()
    PIL.Image.init()
    image.save(stream, name if name in PIL.Image.SAVE else "PNG", **options)
    return stream.getvalue()


def _bytes(content: bytearray, rng: random.Random) -> bytes:
    """Some bytes, or whole numbers, changed; parts left out, repeated or exchanged."""
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        place = rng.randrange(max(1, min(len(content), rng.choice((64, 64, len(content))))))
        match rng.randrange(6):
            case 0:
                content[place : place + 1] = bytes([rng.randrange(256)])
            case 1:
                width, order = rng.choice((1, 2, 4)), rng.choice(("little", "big"))
                value = rng.choice(NUMBERS) % (1 << 8 * width)
                content[place : place + width] = value.to_bytes(width, "big" if order == "big" else "little")
            case 2:
                del content[place : place + rng.randrange(1, 64)]
            case 3:
                content[place:place] = content[place : place + rng.randrange(1, 256)] * rng.choice((1, 50))
            case 4:
                del content[rng.randrange(1, max(2, len(content))) :]
            case 5:
                content[place:place] = rng.randbytes(rng.randrange(1, 32))
    return bytes(content)


def dataset_yaml(number: int, rng: random.Random) -> bytes:
    """A dataset.yaml with values of other kinds, odd lines, or damaged bytes."""
    content: Any = {
        "name": "streets",
        "classes": [{"name": name, "color": [0, 10 * i, 255]} for i, name in enumerate(("road", "sky", "tree"))],
        "ignore": 255,
        "bands": ["red", "green", "nir"],
        "nodata": -9999,
    }
    if rng.random() < 0.7:
        _spoil(content, rng)
    text = yaml.safe_dump(content) if rng.random() < 0.7 else json.dumps(content)
    lines = text.splitlines(keepends=True)
    for _ in range(rng.choice((0, 1, 1, 3, 9))):
        lines.insert(rng.randrange(len(lines) + 1), rng.choice(YAML_LINES) + "\n")
    encoded = "".join(lines).encode("utf-8", "surrogatepass")
    return _bytes(bytearray(encoded), rng) if number % 3 == 0 else encoded


def coco(number: int, rng: random.Random) -> bytes:
    """COCO annotations of two pictures, a.png and b.png of 32 x 24 pixels, some of them spoilt."""
    polygon = [[2, 2, 20, 2, 20, 18, 2, 18]]
    shapes: tuple[Any, ...] = (
        *(polygon, {"size": [24, 32], "counts": [10, 5, 753]}, {"size": [24, 32], "counts": "dh0000"}),
        *([[2, 2], [20, 2], [20, 18]], [], {"size": [24, 32], "counts": "o" * rng.choice((3, 3000))}),
    )
    content = {
        "images": [{"id": i, "file_name": f"{name}.png", "height": 24, "width": 32} for i, name in enumerate("ab")],
        "annotations": [
            {"id": i, "image_id": i % 2, "category_id": 1 + i % 2, "segmentation": rng.choice(shapes), "iscrowd": i % 2}
            for i in range(4)
        ],
        "categories": [{"id": 1, "name": "car"}, {"id": 2, "name": "tree"}],
    }
    return _json(content, number, rng)


def labelme(number: int, rng: random.Random) -> bytes:
    """A labelme file of a.png, of 32 x 24 pixels, spoilt."""
    points = [[2.0, 2.0], [20.0, 3.0], [18.0, 20.0]]
    kinds = ("polygon", "rectangle", "circle", "mask", "line", "point")
    shapes = [
        {
            "label": rng.choice("xy"),
            "shape_type": (kind := rng.choice(kinds)),
            "points": points[: 3 if kind == "polygon" else 2],
        }
        | (
            {"mask": "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="}
            if kind == "mask"
            else {}
        )
        for _ in range(3)
    ]
    content = {"imagePath": "a.png", "imageHeight": 24, "imageWidth": 32, "shapes": shapes, "imageData": None}
    return _json(content, number, rng)


def _json(content: Any, number: int, rng: random.Random) -> bytes:
    for _ in range(rng.choice((1, 1, 2, 4))):
        _spoil(content, rng)
    encoded = json.dumps(content).encode()
    return _bytes(bytearray(encoded), rng) if number % 4 == 0 else encoded


def _spoil(content: Any, rng: random.Random) -> None:
    """Put another value in a place somewhere inside, or leave one out."""
    while True:
        keys = list(content) if isinstance(content, dict) else list(range(len(content)))
        if not keys:
            return
        key = rng.choice(keys)
        if isinstance(content[key], dict | list) and content[key] and rng.random() < 0.75:
            content = content[key]
        elif rng.random() < 0.1:
            del content[key]
            return
        else:
            content[key] = rng.choice(VALUES)
            return


KINDS: dict[str, Callable[[int, random.Random], bytes]] = {
    "picture": picture,
    "yaml": dataset_yaml,
    "coco": coco,
    "labelme": labelme,
}
