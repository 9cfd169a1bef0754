import base64
import io
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import numpy as np
import PIL.Image
import pytest
import torch

from segnext.checkpoint.weights import Weights
from segnext.data.formats.labelstudio import brush, brush_of
from segnext.errors import SegNextError
from segnext.inference.runtime import Runtime
from segnext.inference.segmenter import Segmenter
from segnext.integrations.label_studio import Backend, Pictures, control_of, server
from segnext.labels import Labels
from segnext.model.config import ModelConfig
from segnext.model.families import build
from segnext.preprocess import Preprocess

CONFIG = ModelConfig((8, 16, 24, 32), (1, 1, 1, 1), 32, rank=4, num_classes=3, expansions=(2, 2, 2, 2))
LABELS = Labels("signs", ("ground", "sign", "sky"), ((1, 2, 3), (200, 0, 0), (0, 0, 200)), 255)
BRUSHES = """<View><Image name="image" value="$picture"/><BrushLabels name="tag" toName="image">
  <Label value="ground"/><Label value="sign"/></BrushLabels></View>"""
POLYGONS = BRUSHES.replace("BrushLabels", "PolygonLabels")


def encoded() -> bytes:
    rough = np.random.default_rng(1).integers(0, 256, (6, 9, 3), np.uint8)
    stream = io.BytesIO()
    PIL.Image.fromarray(rough.repeat(8, 0).repeat(8, 1)).save(stream, "png")
    return stream.getvalue()


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    torch.manual_seed(0)
    return Segmenter(Weights(CONFIG, LABELS, Preprocess(), build(CONFIG).state_dict()), Runtime("torch", "cpu"))


class Studio(BaseHTTPRequestHandler):
    """A Label Studio that keeps one picture, for those with its token, and its file elsewhere."""

    tokens: ClassVar[list[str | None]] = []

    def do_GET(self) -> None:
        Studio.tokens.append(self.headers.get("Authorization"))
        if self.path == "/moved.png":
            self.send_response(302)
            self.send_header("Location", "/data/upload/1/a.png")
            self.end_headers()
            return
        known = self.path == "/data/upload/1/a.png"
        self.send_response(200 if known else 404)
        self.end_headers()
        self.wfile.write(encoded() if known else b"")

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def studio() -> Iterator[str]:
    Studio.tokens = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Studio) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


@pytest.fixture
def address(segmenter: Segmenter, studio: str) -> Iterator[str]:
    backend = Backend(segmenter, Pictures(studio, "secret"), "v1")
    with server(backend, ("127.0.0.1", 0)) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def ask(url: str, content: Any = None) -> Any:
    data = None if content is None else content if isinstance(content, bytes) else json.dumps(content).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data), timeout=60) as answer:
        return json.loads(answer.read())


def test_brushes_are_what_the_import_reads() -> None:
    random = np.random.default_rng(0)
    for height, width in ((1, 1), (7, 13), (300, 300), (1, 70000)):
        for share in (0.0, 0.3, 1.0):
            mask = random.random((height, width)) < share
            assert (brush(brush_of(mask), height, width) == mask).all()


def test_brushes_are_what_label_studio_reads() -> None:
    theirs = pytest.importorskip("label_studio_sdk.converter.brush", reason="label-studio-sdk is not installed")
    mask = np.random.default_rng(0).random((20, 31)) < 0.4
    decoded = np.asarray(theirs.decode_rle(brush_of(mask))).reshape(20, 31, 4)
    assert (decoded[..., 3] == 255 * mask).all()


@pytest.mark.parametrize("picture", ["/data/upload/1/a.png", "/moved.png", "inside"])
def test_brushes_of_the_project_s_classes(picture: str, address: str, segmenter: Segmenter) -> None:
    if picture == "inside":
        picture = "data:image/png;base64," + base64.b64encode(encoded()).decode()
    assert ask(f"{address}/health")["status"] == "UP"
    assert ask(f"{address}/setup", {"project": "1", "schema": BRUSHES})["model_version"] == "v1"
    answer = ask(f"{address}/predict", {"tasks": [{"id": 1, "data": {"picture": picture}}], "label_config": BRUSHES})
    mask = segmenter(io.BytesIO(encoded())).mask
    (prediction,) = answer["results"]
    present = [label for label in (0, 1) if (mask == label).any()]  # sky is none of the project's
    assert present
    assert [each["value"]["brushlabels"] for each in prediction["result"]] == [[LABELS.classes[n]] for n in present]
    for label, each in zip(present, prediction["result"], strict=True):
        assert (brush(each["value"]["rle"], *mask.shape) == (mask == label)).all()
        assert (each["from_name"], each["to_name"], each["type"]) == ("tag", "image", "brushlabels")
        assert 0 < each["score"] <= 1
    assert set(Studio.tokens) <= {"Token secret", None}


def test_polygons(address: str, segmenter: Segmenter) -> None:
    pytest.importorskip("rasterio")
    tasks = [{"data": {"picture": "/data/upload/1/a.png"}}]
    (prediction,) = ask(f"{address}/predict", {"tasks": tasks, "label_config": POLYGONS})["results"]
    assert prediction["result"]
    for each in prediction["result"]:
        assert each["type"] == "polygonlabels"
        assert np.max(each["value"]["points"]) <= 100


def test_a_task_that_fails_is_empty_and_the_others_go_on(address: str, capfd: pytest.CaptureFixture[str]) -> None:
    given = ["/data/upload/1/none.png", "http://elsewhere.example/a.png", "file:///etc/passwd", 3, "data:x;base64,%%"]
    tasks = [*({"data": {"picture": each}} for each in given), {}, {"data": {"picture": "/data/upload/1/a.png"}}]
    answer = ask(f"{address}/predict", {"tasks": tasks, "label_config": BRUSHES})
    assert [bool(each["result"]) for each in answer["results"]] == [False] * 6 + [True]
    said = capfd.readouterr().err
    assert "is not on" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("path", "content", "code"),
    [
        ("/nothing", {}, 404),
        ("/predict", {"tasks": 3, "label_config": BRUSHES}, 400),
        ("/predict", {"tasks": [], "label_config": "<View/>"}, 400),
        ("/predict", {"tasks": [], "label_config": "<!DOCTYPE a>"}, 400),
        ("/predict", b"{", 400),
        ("/predict", b"\xff", 400),
    ],
)
def test_what_cannot_be_answered_is_said(path: str, content: Any, code: int, address: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        ask(address + path, content)
    assert caught.value.code == code
    assert json.loads(caught.value.read())["error"]


def test_controls() -> None:
    assert control_of(BRUSHES).values == {"ground", "sign"}
    assert control_of(POLYGONS).kind == "polygonlabels"
    with pytest.raises(SegNextError, match="cannot be read as XML"):
        control_of("<View>")
