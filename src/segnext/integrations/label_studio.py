"""Label Studio: a machine learning backend that pre-annotates its tasks with brushes or polygons.

    LABEL_STUDIO_API_KEY=KEY python -m segnext.integrations.label_studio --weights runs/mine

In the project's settings, under Model, connect http://localhost:9090. Labels are matched by name; a class that the
project lacks is left out. What people corrected comes back by `segnext data import --from labelstudio`. The
backend answers this machine alone unless `--listen` says otherwise, and fetches pictures from `--host` alone.
"""

import argparse
import base64
import binascii
import io
import json
import os
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from xml.etree.ElementTree import Element, ParseError, fromstring

import numpy as np

from segnext.checkpoint.find import DEFAULT
from segnext.data.formats.labelstudio import brush_of
from segnext.documents import parse_json
from segnext.errors import SegNextError
from segnext.inference.load import load
from segnext.inference.result import Result
from segnext.inference.segmenter import Segmenter
from segnext.model.config import says_confidence
from segnext.progress import say

LARGEST_REQUEST = 64 << 20  # bytes; pictures may come inside
LARGEST_PICTURE = 512 << 20
KEY = "LABEL_STUDIO_API_KEY"  # in the environment: the token of an account there that may read the project
PATIENCE = 60.0  # seconds without a byte
KINDS = {"BrushLabels": "brushlabels", "PolygonLabels": "polygonlabels"}


@dataclass(frozen=True)
class Control:
    """What of a project's labelling interface takes our results.

    Attributes:
        name: of the control.
        picture: name of the picture that it labels.
        variable: of a task's data, that holds the picture.
        kind: "brushlabels" or "polygonlabels".
        values: its labels.
    """

    name: str
    picture: str
    variable: str
    kind: str
    values: frozenset[str]


def control_of(label_config: str) -> Control:
    """The first brush, else polygon control of a labelling interface.

    Raises:
        SegNextError: when there is none, or it cannot be read.
    """
    if "<!DOCTYPE" in label_config or "<!ENTITY" in label_config:
        raise SegNextError("the labelling interface declares entities, which Label Studio's do not; remove them")
    try:
        root = fromstring(label_config)
    except (ParseError, ValueError) as error:
        raise SegNextError(f"the labelling interface cannot be read as XML ({error})") from error
    pictures = {image.get("name", ""): image.get("value", "") for image in root.iter("Image")}
    for tag, kind in KINDS.items():
        for control in root.iter(tag):
            picture = control.get("toName", "")
            if picture in pictures:
                variable = pictures[picture].lstrip("$")
                return Control(control.get("name", ""), picture, variable, kind, frozenset(_values(control)))
    raise SegNextError(
        "the labelling interface has no BrushLabels or PolygonLabels for an Image; add one, with labels called as the "
        "weights' classes"
    )


def _values(control: Element) -> Iterator[str]:
    return (label.get("value", "") for label in control.iter("Label"))


def results_of(result: Result, control: Control) -> list[dict[str, Any]]:
    """What Label Studio shows of a picture: a brush for each class of the project, or a polygon for each area."""
    height, width = result.mask.shape[-2:]
    common = {
        "from_name": control.name,
        "to_name": control.picture,
        "type": control.kind,
        "original_width": width,
        "original_height": height,
        "image_rotation": 0,
    }
    shapes = _brushes(result, control) if control.kind == "brushlabels" else _polygons(result, control)
    return [
        {**common, "id": f"segnext{number}", "value": value, "score": score}
        for number, (value, score) in enumerate(shapes)
    ]


Shapes = Iterator[tuple[dict[str, Any], float]]


def _brushes(result: Result, control: Control) -> Shapes:
    for label, name in enumerate(result.classes):
        inside = result.where(label)
        if name in control.values and inside.any():
            value = {"format": "rle", "rle": brush_of(inside), "brushlabels": [name]}
            yield value, _score(result, label)


def _polygons(result: Result, control: Control) -> Shapes:
    """Outlines in percent of the picture, the largest first, so that what lies in a hole comes on top."""
    percent = 100 / np.array(result.mask.shape[:-3:-1])
    score = cache(partial(_score, result))
    for area in sorted(result.to_polygons(), key=lambda area: -area.polygon.area):
        if area.name in control.values:
            points = (np.asarray(area.polygon.exterior.coords)[:-1] * percent).tolist()
            value = {"points": points, "closed": True, "polygonlabels": [area.name]}
            yield value, score(area.label)


def _score(result: Result, label: int) -> float:
    """The mean confidence of a class where it is."""
    sure = result.confidence
    return float((sure if sure.ndim == 2 else sure[label])[result.where(label)].mean())


class Pictures:
    """Fetches the pictures of tasks from one Label Studio.

    Args:
        host: its address.
        token: of an account that may read the project; "" for none.
    """

    def __init__(self, host: str, token: str = "") -> None:
        self.host, self.token = host.rstrip("/") + "/", token
        self._opener = urllib.request.build_opener(_Redirects)

    def read(self, address: str) -> bytes:
        """The encoded picture that a task names: a path on the host, its whole address, or the picture itself, data:.

        Raises:
            SegNextError: when it is elsewhere, or cannot be fetched.
        """
        if address.startswith("data:"):
            try:
                return base64.b64decode(address.partition("base64,")[2], validate=True)
            except binascii.Error as error:
                raise SegNextError(f"a picture inside its task is no base64 ({error})") from error
        whole = urllib.parse.urljoin(self.host, address)
        if not whole.startswith(self.host):
            raise SegNextError(f"{address[:200]}: is not on {self.host}, where alone pictures are fetched; see --host")
        headers = {"Authorization": f"Token {self.token}"} if self.token else {}
        try:
            with self._opener.open(urllib.request.Request(whole, headers=headers), timeout=PATIENCE) as answer:
                content: bytes = answer.read(LARGEST_PICTURE + 1)
        except (OSError, ValueError) as error:
            raise SegNextError(f"{whole[:200]}: cannot be fetched ({error}); see --host and {KEY}") from error
        if len(content) > LARGEST_PICTURE:
            raise SegNextError(f"{whole[:200]}: is larger than {LARGEST_PICTURE >> 20} MB")
        return content


class _Redirects(urllib.request.HTTPRedirectHandler):
    """To where the host keeps its files, without the token."""

    def redirect_request(self, *args: Any) -> urllib.request.Request | None:
        request = super().redirect_request(*args)
        if request is not None and urllib.parse.urlsplit(request.full_url).scheme not in ("http", "https"):
            raise urllib.error.URLError("the host sends to an address that is no http or https")
        if request is not None:
            request.headers.pop("Authorization", None)
        return request


class Backend:
    """Answers what Label Studio asks.

    Args:
        segmenter: does the work.
        pictures: where its pictures are.
        version: what its predictions are called.
    """

    def __init__(self, segmenter: Segmenter, pictures: Pictures, version: str) -> None:
        if not says_confidence(segmenter.config):
            raise SegNextError("these weights are an exported file without probabilities; export --output confidence")
        self.segmenter, self.pictures, self.version = segmenter, pictures, version

    def answer(self, path: str, content: Mapping[str, Any]) -> dict[str, Any]:
        """To a request; `content` is empty where it has none.

        Raises:
            SegNextError: when it cannot be answered.
            KeyError: for an unknown path.
        """
        routes = {
            "/": self._health,
            "/health": self._health,
            "/setup": self._setup,
            "/predict": self._predict,
            "/webhook": self._webhook,
        }
        return routes[path.rstrip("/") or "/"](content)

    def _health(self, _: Mapping[str, Any]) -> dict[str, Any]:
        return {"status": "UP", "model_class": "SegNeXt"}

    def _setup(self, content: Mapping[str, Any]) -> dict[str, Any]:
        if schema := content.get("schema"):
            control_of(str(schema))
        return {"model_version": self.version}

    def _webhook(self, _: Mapping[str, Any]) -> dict[str, Any]:
        return {}  # it trains nothing by itself

    def _predict(self, content: Mapping[str, Any]) -> dict[str, Any]:
        control, tasks = control_of(str(content.get("label_config", ""))), content.get("tasks")
        if not isinstance(tasks, list):
            raise SegNextError("the request has no list of tasks")
        return {"results": [self._task(task, control) for task in tasks]}

    def _task(self, task: Any, control: Control) -> dict[str, Any]:
        """One that fails is empty, and said on stderr; the others go on."""
        try:
            address = task["data"][control.variable] if isinstance(task, dict) else None
            if not isinstance(address, str):
                raise SegNextError(f"a task has no picture called {control.variable}")
            result = self.segmenter(io.BytesIO(self.pictures.read(address)))
        except (SegNextError, KeyError, TypeError) as error:
            say(f"segnext label_studio: {error}")
            return {"model_version": self.version, "result": [], "score": 0.0}
        found = results_of(result, control)
        return {"model_version": self.version, "result": found, "score": float(result.mean_confidence)}


def server(backend: Backend, address: tuple[str, int]) -> ThreadingHTTPServer:
    """An HTTP server of `backend`, not yet running."""

    class Handler(BaseHTTPRequestHandler):
        timeout = PATIENCE

        def do_GET(self) -> None:
            self._respond({})

        def do_POST(self) -> None:
            length = self.headers.get("Content-Length", "")
            if not length.isdecimal() or int(length) > LARGEST_REQUEST:
                self._send(413, {"error": f"requests have at most {LARGEST_REQUEST >> 20} MB, and say their length"})
                return
            try:
                content = parse_json(self.rfile.read(int(length)).decode() or "{}", "the request")
            except (ValueError, SegNextError) as error:
                self._send(400, {"error": str(error)})
                return
            self._respond(content if isinstance(content, dict) else {})

        def _respond(self, content: Mapping[str, Any]) -> None:
            try:
                self._send(200, backend.answer(urllib.parse.urlsplit(self.path).path, content))
            except KeyError:
                self._send(404, {"error": "there is /health, /setup, /predict and /webhook"})
            except SegNextError as error:
                self._send(400, {"error": str(error)})

        def _send(self, code: int, content: Mapping[str, Any]) -> None:
            body = json.dumps(content).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:  # what fails is said by those who find it
            pass

    return ThreadingHTTPServer(address, Handler)


def main(arguments: list[str] | None = None) -> int:
    """Run the backend until it is interrupted."""
    parser = argparse.ArgumentParser(prog="python -m segnext.integrations.label_studio", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--weights", default=DEFAULT, help="as for segnext predict (default: %(default)s)")
    parser.add_argument("--host", default="http://localhost:8080", help="Label Studio's address (default: %(default)s)")
    parser.add_argument("--listen", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=9090, help="default: %(default)s")
    args = parser.parse_args(arguments)
    try:
        segmenter = load(args.weights)
        backend = Backend(segmenter, Pictures(args.host, os.environ.get(KEY, "")), args.weights)
        with server(backend, (args.listen, args.port)) as running:
            print(f"{segmenter}\nlistening on http://{args.listen}:{running.server_port}", flush=True)
            running.serve_forever()
    except KeyboardInterrupt:
        return 130
    except (SegNextError, OSError) as error:
        say(f"segnext label_studio: {error}")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
