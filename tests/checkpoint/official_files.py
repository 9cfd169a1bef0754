"""A tiny official checkpoint in every layout, and a web server that can misbehave."""

import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from torch import Tensor

from segnext.checkpoint import download
from segnext.checkpoint.names import BASES, to_official
from segnext.model.config import PRESETS, ModelConfig
from segnext.model.families import build

TINY = ModelConfig((8, 16, 24, 32), (1, 2, 1, 1), 32, rank=4, num_classes=19, expansions=(2, 2, 2, 2))
State = dict[str, Tensor]


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> ModelConfig:
    """A model of which the rank is known, as of the published ones."""
    monkeypatch.setitem(PRESETS, "segnext_tiny", TINY)
    return TINY


@pytest.fixture(scope="session")
def ours() -> State:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        state = build(TINY).state_dict()
        return {
            name: 0.2 * torch.rand_like(x) if x.is_floating_point() and name != BASES else x
            for name, x in state.items()
        }


@pytest.fixture(scope="session")
def layouts(ours: State) -> dict[str, State]:
    """The same network in each published layout."""
    authors = to_official(ours)
    openmmlab = {name.replace("mlp.dwconv.dwconv", "mlp.dwconv"): x for name, x in authors.items()}
    head = {"head.weight": torch.ones(1000, 32), "head.bias": torch.zeros(1000)}

    def encoder(state: State) -> State:
        return {name[9:]: x for name, x in state.items() if name.startswith("backbone.")} | head

    return {
        "the authors' layout": authors,
        "OpenMMLab's layout": openmmlab,
        "the Intel port's layout": openmmlab | {"decode_head.hamburger.ham.bases": ours[BASES]},
        "the authors' layout, encoder only": encoder(authors),
        "OpenMMLab's layout, encoder only": encoder(openmmlab),
    }


@pytest.fixture
def saved(tmp_path: Path) -> Callable[[object], Path]:
    """Write a checkpoint file."""

    def save(content: object) -> Path:
        path = tmp_path / "official.pth"
        torch.save(content, path)
        return path

    return save


@dataclass
class Server:
    """Files by path, and what goes wrong.

    Attributes:
        files: path -> content.
        break_after: for each request in turn, the bytes after which the connection breaks; None for no break.
        ranges: whether ranges are answered.
        status: path -> HTTP state to answer with instead.
        requests: (path, Range or None) of what was asked for.
    """

    address: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    break_after: list[int | None] = field(default_factory=list)
    ranges: bool = True
    etag: str | None = '"1"'
    kind: str = "application/octet-stream"
    status: dict[str, list[int]] = field(default_factory=dict)
    requests: list[tuple[str, str | None]] = field(default_factory=list)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(download, "PAUSE", 0.01)
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    served = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers["Range"]
            served.requests.append((self.path, asked))
            states = served.status.get(self.path, [])
            content = served.files.get(self.path)
            if states or content is None:
                self.send_error(states.pop(0) if states else 404)
                return
            start = int(re.findall(r"\d+", asked)[0]) if asked and served.ranges else 0
            if self.headers["If-Range"] not in (None, served.etag):
                start = 0
            if start and start >= len(content):
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            self.send_header("Content-Type", served.kind)
            self.send_header("Content-Length", str(len(content) - start))
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            if served.etag:
                self.send_header("ETag", served.etag)
            self.end_headers()
            length = served.break_after.pop(0) if served.break_after else None
            self.wfile.write(content[start:][:length])
            self.wfile.flush()

        def log_message(self, *_: object) -> None:
            pass

    web = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=web.serve_forever, args=(0.01,))
    thread.start()
    served.address = f"http://127.0.0.1:{web.server_port}"
    yield served
    web.shutdown()
    thread.join()
    web.server_close()
