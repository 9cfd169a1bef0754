"""Small folders of each kind that people have, drawn: what `segnext data check` must find and lead to a training.

`KINDS` names each with what draws it, the finding that explains it, and the import that is advised.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from messy_folder import Folder
from numpy.typing import NDArray
from PIL import Image

PICTURES = 10
HEIGHT, WIDTH = 48, 64
COLORS = np.array([(0, 0, 0), (200, 30, 40), (20, 160, 220)], np.uint8)
NAMES = ("background", "crack", "hole")

Mask = NDArray[np.uint8]


class Mess(Folder):
    """A folder with pictures of two ellipses, whose classes are 1 and 2, on a ground that is 0."""

    def scene(self, index: int) -> tuple[Mask, Mask]:
        """A picture and its labels."""
        rows, columns = np.mgrid[:HEIGHT, :WIDTH]
        labels = np.zeros((HEIGHT, WIDTH), np.uint8)
        for label, (y, x) in enumerate(((14 + index, 16), (28, 44 - index)), 1):
            labels[((rows - y) / 9) ** 2 + ((columns - x) / 11) ** 2 < 1] = label
        picture = self.picture() // 3 + np.array([0, 90, 160], np.uint8)[labels][..., None]
        return picture, labels

    def both(self, image: str, mask: str, encode: Callable[[Mask], Mask | Image.Image] = lambda labels: labels) -> None:
        """Pictures and masks under names with {}; `encode` makes masks of labels."""
        for index in range(PICTURES):
            picture, labels = self.scene(index)
            self.save(image.format(index), picture)
            self.save(mask.format(index), encode(labels))


def white(labels: Mask) -> Mask:
    """The first class in white."""
    return np.where(labels == 1, np.uint8(255), np.uint8(0))


def colored(labels: Mask) -> Mask:
    return COLORS[labels]


def grey_levels(made: Mess) -> None:
    made.both("img/{}.jpg", "gt/{}.png", lambda labels: labels * np.uint8(60))


def black_and_white(made: Mess) -> None:
    made.both("Training_Images/{}.jpg", "Ground_Truth/{}.png", white)


def colors(made: Mess) -> None:
    made.both("images/a{}.jpg", "labels/a{}.png", colored)
    (made.root / "train.txt").write_text("".join(f"a{index}.jpg\n" for index in range(8)))


def floats(made: Mess) -> None:
    made.both("images/{}.png", "masks/{}.tif", lambda labels: Image.fromarray((labels == 1).astype(np.float32)))


def sizes(made: Mess) -> None:
    made.both("images/{}.jpg", "masks/{}.png", lambda m: Image.fromarray(m).resize((32, 24), Image.Resampling.NEAREST))


def suffix_in_one_folder(made: Mess) -> None:
    made.both("MT/Imgs/exp1_num_{}.jpg", "MT/Imgs/exp1_num_{}.png", white)


def two_mask_folders(made: Mess) -> None:
    made.both("images/{:03}_image.png", "annotations/{:03}_annotation.png", colored)
    for index in range(PICTURES):
        made.save(f"masks/{index:03}_mask.png", white(made.scene(index)[1]))


def numbered_otherwise(made: Mess) -> None:
    made.both("frames/frame_{}.png", "labels_v2/lab_{:04}.png")


def words_of_their_own(made: Mess) -> None:
    made.both("scans/s{}_in.jpg", "scans/s{}_out.png")


def unnamed_folders(made: Mess) -> None:
    made.both("A/{}.png", "B/{}.png", colored)


def folders_of_classes(made: Mess) -> None:
    for name in ("crack", "hole"):
        made.both(f"images/{name}/{name}{{}}.jpg", f"masks/{name}/{name}{{}}.png", white)


def masks_of_objects(made: Mess) -> None:
    for index in range(PICTURES):
        picture, labels = made.scene(index)
        made.save(f"train/s{index}/images/s{index}.png", picture)
        for number in (1, 2):
            made.save(f"train/s{index}/masks/o{index}{number}.png", (labels == number) * np.uint8(255))


def objects_by_name(made: Mess) -> None:
    for index in range(PICTURES):
        picture, labels = made.scene(index)
        made.save(f"images/p{index}.jpg", picture)
        for number in (1, 2):
            made.save(f"masks/p{index}_{number}.png", (labels == number) * np.uint8(255))


def classes_by_name(made: Mess) -> None:
    for index in range(PICTURES):
        picture, labels = made.scene(index)
        made.save(f"images/p{index}.jpg", picture)
        for label, name in ((1, "crack"), (2, "hole")):
            made.save(f"masks/p{index}_{name}.png", (labels == label) * np.uint8(255))


def classes_by_folder(made: Mess) -> None:
    for index in range(PICTURES):
        picture, labels = made.scene(index)
        made.save(f"images/p{index}.jpg", picture)
        for label, name in ((1, "crack"), (2, "hole")):
            made.save(f"masks/{name}/p{index}.png", (labels == label) * np.uint8(255))


def people(made: Mess) -> None:
    for index in range(PICTURES):
        picture, labels = made.scene(index)
        made.save(f"images/p{index}.jpg", picture)
        for person, shift in (("anna", 0), ("ben", 1), ("cleo", -1)):
            made.save(f"masks/{person}/p{index}.png", white(np.roll(labels, shift, axis=1)))


def matrices(made: Mess) -> None:
    for index in range(PICTURES):
        picture, labels = made.scene(index)
        made.save(f"images/p{index}.png", picture)
        (made.root / "labels").mkdir(exist_ok=True)
        np.savetxt(made.root / f"labels/p{index}.txt", labels, "%d")


def near_infrared(made: Mess) -> None:
    for index in range(PICTURES):
        picture, labels = made.scene(index)
        layers = np.dstack([picture, picture[..., 0] // 2 + 60])
        (made.root / "images").mkdir(parents=True, exist_ok=True)
        Image.fromarray(layers, "RGBA").save(made.root / f"images/{index}.tif")
        made.save(f"masks/{index}.png", labels)


def one_class(made: Mess) -> None:
    made.classes(1, ignore=1)
    made.both("images/train/{}.png", "masks/train/{}.png", lambda labels: (labels == 1).astype(np.uint8))


def corners(index: int) -> list[tuple[float, float]]:
    return [(5.0, 5.0), (40.0, 5.0 + index), (40.0, 40.0)]


def pictures(made: Mess, where: str) -> None:
    for index in range(PICTURES):
        made.save(where.format(index), made.scene(index)[0])


def yolo(made: Mess) -> None:
    pictures(made, "train/images/p{}.jpg")
    (made.root / "train/labels").mkdir(exist_ok=True)
    for index in range(PICTURES):
        points = " ".join(f"{x / WIDTH:.4f} {y / HEIGHT:.4f}" for x, y in corners(index))
        (made.root / f"train/labels/p{index}.txt").write_text(f"0 {points}\n")
    (made.root / "data.yaml").write_text("train: train/images\nnc: 1\nnames: [crack]\n")


def cvat(made: Mess) -> None:
    pictures(made, "images/p{}.jpg")
    entries = (
        f'<image id="{i}" name="p{i}.jpg" width="{WIDTH}" height="{HEIGHT}"><polygon label="crack" points="'
        + ";".join(f"{x},{y}" for x, y in corners(i))
        + '"/></image>'
        for i in range(PICTURES)
    )
    text = f"<annotations><version>1.1</version>{''.join(entries)}</annotations>"
    (made.root / "annotations.xml").write_text(text)


def label_studio(made: Mess) -> None:
    pictures(made, "images/p{}.jpg")
    tasks = []
    for index in range(PICTURES):
        points = [[100 * x / WIDTH, 100 * y / HEIGHT] for x, y in corners(index)]
        value = {"points": points, "polygonlabels": ["crack"], "closed": True}
        sizes = {"original_width": WIDTH, "original_height": HEIGHT, "from_name": "label", "type": "polygonlabels"}
        result: list[dict[str, Any]] = [{"value": value, **sizes}]
        tasks.append({"data": {"image": f"/data/upload/1/p{index}.jpg"}, "annotations": [{"result": result}]})
    (made.root / "project.json").write_text(json.dumps(tasks))


def brushes(made: Mess) -> None:
    for index in range(PICTURES):
        picture, labels = made.scene(index)
        made.save(f"images/p{index}.jpg", picture)
        for label, name in ((1, "crack"), (2, "hole")):
            mask = (labels == label) * np.uint8(255)
            made.save(f"export/task-{index}-annotation-{7 + index}-by-1-tag-{name}-0.png", mask)


def via(made: Mess) -> None:
    pictures(made, "images/p{}.jpg")
    content = {}
    for index in range(PICTURES):
        xs, ys = zip(*corners(index), strict=True)
        shape = {"name": "polygon", "all_points_x": xs, "all_points_y": ys}
        regions = [{"shape_attributes": shape, "region_attributes": {"label": "crack"}}]
        content[f"p{index}.jpg1"] = {"filename": f"p{index}.jpg", "size": 1, "regions": regions}
    (made.root / "via.json").write_text(json.dumps(content))


def labelme(made: Mess) -> None:
    pictures(made, "p{}.jpg")
    for index in range(PICTURES):
        shapes = [{"label": "crack", "points": corners(index), "shape_type": "polygon"}]
        content: dict[str, Any] = {"version": "5.0", "shapes": shapes, "imagePath": f"p{index}.jpg"}
        content |= {"imageWidth": WIDTH, "imageHeight": HEIGHT, "imageData": None}
        (made.root / f"p{index}.json").write_text(json.dumps(content))


def supervisely(made: Mess) -> None:
    pictures(made, "ds0/img/p{}.jpg")
    classes = [{"title": "crack", "shape": "polygon", "color": "#ff0000"}]
    (made.root / "meta.json").write_text(json.dumps({"classes": classes, "tags": []}))
    (made.root / "ds0/ann").mkdir()
    for index in range(PICTURES):
        points = {"exterior": corners(index), "interior": []}
        shape = {"classTitle": "crack", "geometryType": "polygon", "points": points}
        content = {"size": {"height": HEIGHT, "width": WIDTH}, "tags": [], "objects": [shape]}
        (made.root / f"ds0/ann/p{index}.jpg.json").write_text(json.dumps(content))


def coco(made: Mess) -> None:
    pictures(made, "images/p{}.jpg")
    images: list[dict[str, Any]] = [
        {"id": i, "file_name": f"p{i}.jpg", "width": WIDTH, "height": HEIGHT} for i in range(PICTURES)
    ]
    annotations: list[dict[str, Any]] = [
        {"id": i, "image_id": i, "category_id": 1, "segmentation": [[v for xy in corners(i) for v in xy]], "iscrowd": 0}
        for i in range(PICTURES)
    ]
    content = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "crack"}]}
    (made.root / "instances.json").write_text(json.dumps(content))


def roboflow(made: Mess) -> None:
    made.both("train/p{}_jpg.rf.1f.jpg", "train/p{}_jpg.rf.1f_mask.png")
    lines = [f"{label}, {name}" for label, name in enumerate(NAMES)]
    (made.root / "train/_classes.csv").write_text("\n".join(["Pixel Value, Class", *lines]))


def kitti(made: Mess) -> None:
    ids = np.array([7, 11, 26], np.uint8)
    made.both("training/image_2/{:06}_10.png", "training/semantic/{:06}_10.png", lambda labels: ids[labels])
    for index in range(PICTURES):
        made.save(f"training/semantic_rgb/{index:06}_10.png", colored(made.scene(index)[1]))
        made.save(f"training/instance/{index:06}_10.png", made.scene(index)[1])


# Each kind: what draws it, the finding that explains it, and the import that is advised first.
KINDS: dict[str, tuple[Callable[[Mess], None], str, str]] = {
    "grey levels": (grey_levels, "grey-levels", "labels"),
    "0 and 255, folders of other names": (black_and_white, "binary-masks", "binary"),
    "colours, a list of train alone": (colors, "color-masks", "colors"),
    "floats": (floats, "float-masks", "labels"),
    "masks of another size": (sizes, "sizes-differ", "labels"),
    "jpg and png of one stem": (suffix_in_one_folder, "other-layout", "binary"),
    "two folders of masks": (two_mask_folders, "mask-choice", "binary"),
    "numbers with and without zeros": (numbered_otherwise, "other-layout", "labels"),
    "endings of their own": (words_of_their_own, "other-layout", "labels"),
    "folders that say nothing": (unnamed_folders, "other-layout", "colors"),
    "a folder for each class": (folders_of_classes, "class-per-folder", "binary"),
    "a mask for each object, by folder": (masks_of_objects, "mask-per-object", "objects"),
    "a mask for each object, by name": (objects_by_name, "mask-per-object", "objects"),
    "a mask for each class, by name": (classes_by_name, "mask-per-class", "objects"),
    "a mask for each class, by folder": (classes_by_folder, "mask-per-class", "objects"),
    "masks of several people": (people, "mask-per-person", "objects"),
    "matrices in text files": (matrices, "annotations", "text"),
    "near infrared as a fourth band": (near_infrared, "unnamed-bands", "labels"),
    "a single class": (one_class, "bad-dataset-yaml", "labels"),
    "YOLO": (yolo, "annotations", "yolo"),
    "CVAT": (cvat, "annotations", "cvat"),
    "Label Studio": (label_studio, "annotations", "labelstudio"),
    "Label Studio's brushes as PNG": (brushes, "mask-per-class", "objects"),
    "VGG Image Annotator": (via, "annotations", "via"),
    "labelme": (labelme, "annotations", "labelme"),
    "Supervisely": (supervisely, "annotations", "supervisely"),
    "COCO": (coco, "annotations", "coco"),
    "Roboflow": (roboflow, "labels-without-names", "labels"),
    "KITTI": (kitti, "other-layout", "kitti"),
}


def draw(kind: str, root: Path) -> Folder:
    """A folder of a kind."""
    made = Mess(root)
    made.root.mkdir()
    KINDS[kind][0](made)
    return made
