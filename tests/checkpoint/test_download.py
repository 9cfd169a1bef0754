"""Downloads from a server that misbehaves."""

import hashlib
import itertools
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from segnext.checkpoint import download as module
from segnext.checkpoint.download import download
from segnext.errors import SegNextError

pytest_plugins = ["official_files"]

CONTENT = bytes(range(256)) * 40  # 10,240 bytes
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def target(tmp_path: Path, server: Any) -> Path:
    server.files["/file.bin"] = CONTENT
    return tmp_path / "file.bin"


def left_over(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.iterdir() if path != target)


def test_whole_and_checked(server: Any, target: Path) -> None:
    url = f"{server.address}/file.bin"
    arrived = download([url], target, SHA256[:8])
    assert target.read_bytes() == CONTENT
    assert (arrived.url, arrived.sha256, arrived.size) == (url, SHA256, 10_240)
    assert left_over(target) == []


def test_broken_connections_go_on_where_they_broke(server: Any, target: Path) -> None:
    server.break_after = [1000, 2000, 500]
    download([f"{server.address}/file.bin"], target, SHA256[:8])
    assert target.read_bytes() == CONTENT
    asked = [asked for _, asked in server.requests]
    assert asked == [None, "bytes=1000-", "bytes=3000-", "bytes=3500-"]


def test_a_later_call_goes_on(server: Any, target: Path) -> None:
    server.break_after = [1000, 0, 0, 0, 0]
    with pytest.raises(SegNextError, match=r"broke off at 1000 of 10240 bytes, after 4 attempts"):
        download([f"{server.address}/file.bin"], target, SHA256)
    assert not target.exists()
    server.requests.clear()
    server.break_after = []
    download([f"{server.address}/file.bin"], target, SHA256)
    assert server.requests == [("/file.bin", "bytes=1000-")]
    assert target.read_bytes() == CONTENT


def test_a_server_without_ranges_starts_over(server: Any, target: Path) -> None:
    server.ranges = False
    server.break_after = [1000, 5000]
    download([f"{server.address}/file.bin"], target, SHA256[:8])
    assert target.read_bytes() == CONTENT


def test_a_file_that_changed_meanwhile_starts_over(server: Any, target: Path) -> None:
    server.break_after = [1000, 0, 0, 0, 0]
    with pytest.raises(SegNextError):
        download([f"{server.address}/file.bin"], target)
    server.files["/file.bin"], server.etag = CONTENT[::-1], '"2"'
    download([f"{server.address}/file.bin"], target)
    assert target.read_bytes() == CONTENT[::-1]


def test_without_hash_and_mark_nothing_is_pieced_together(server: Any, target: Path) -> None:
    server.etag = None
    server.break_after = [1000, 0, 0, 0, 0]
    with pytest.raises(SegNextError):
        download([f"{server.address}/file.bin"], target)
    server.requests.clear()
    download([f"{server.address}/file.bin"], target)
    assert server.requests == [("/file.bin", None)]


def test_wrong_hash_is_deleted_and_said(server: Any, target: Path) -> None:
    with pytest.raises(SegNextError, match=rf"SHA-256 starts with {SHA256[:8]} instead of 00000000, so it was deleted"):
        download([f"{server.address}/file.bin"], target, "00000000")
    assert not target.exists()
    assert left_over(target) == []


def test_stale_beginning_is_forgotten(server: Any, target: Path) -> None:
    target.with_name("file.bin.part").write_bytes(b"x" * 100)
    download([f"{server.address}/file.bin"], target, SHA256[:8])
    assert target.read_bytes() == CONTENT
    assert [asked for _, asked in server.requests] == ["bytes=100-", None]


def test_too_long_beginning_is_forgotten(server: Any, target: Path) -> None:
    target.with_name("file.bin.part").write_bytes(b"x" * 20_000)
    download([f"{server.address}/file.bin"], target, SHA256[:8])
    assert target.read_bytes() == CONTENT


def test_mirrors_in_order(server: Any, target: Path) -> None:
    server.files["/wrong/file.bin"] = b"something else"
    urls = [f"{server.address}/{folder}file.bin" for folder in ("gone/", "wrong/", "")]
    assert download(urls, target, SHA256[:8]).url == urls[2]
    assert [path for path, _ in server.requests] == ["/gone/file.bin", "/wrong/file.bin", "/file.bin"]


def test_every_refusal_is_named(server: Any, target: Path) -> None:
    urls = [f"{server.address}/gone/file.bin", "http://127.0.0.1:9/file.bin"]
    with pytest.raises(SegNextError, match=r"file\.bin could not .*gone/file\.bin: HTTP 404.*:9/file\.bin: .*refused"):
        download(urls, target)


def test_busy_server_is_asked_again(server: Any, target: Path) -> None:
    server.status["/file.bin"] = [503, 429, 500]
    download([f"{server.address}/file.bin"], target, SHA256[:8])
    assert len(server.requests) == 4


def test_a_web_page_is_not_a_file(server: Any, target: Path) -> None:
    server.kind = "text/html; charset=utf-8"
    with pytest.raises(SegNextError, match="sent a web page instead of the file"):
        download([f"{server.address}/file.bin"], target)


def test_silence_times_out(server: Any, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    monkeypatch.setattr(module, "TIMEOUT", 0.05)
    monkeypatch.setattr(module, "ATTEMPTS", 2)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/file.bin"
        with pytest.raises(SegNextError, match="timed out, after 2 attempts"):
            download([url], target)


def test_proxy_of_the_environment(server: Any, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", server.address)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    server.files["http://weights.invalid/file.bin"] = CONTENT
    download(["http://weights.invalid/file.bin"], target, SHA256)
    assert target.read_bytes() == CONTENT


def test_unwritable_folder(server: Any, tmp_path: Path) -> None:
    server.files["/file.bin"] = CONTENT
    with pytest.raises(SegNextError, match="set SEGNEXT_CACHE"):
        download([f"{server.address}/file.bin"], tmp_path / "absent" / "file.bin", SHA256)


def test_a_file_larger_than_it_can_be_is_refused(server: Any, tmp_path: Path) -> None:
    server.files["/large"] = bytes(1000)
    with pytest.raises(SegNextError, match=r"is 1,000 bytes, and no such file has more than 999\)"):
        download([f"{server.address}/large"], tmp_path / "large", limit=999)
    assert list(tmp_path.iterdir()) == []
    assert download([f"{server.address}/large"], tmp_path / "large", limit=1000).size == 1000


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/a", "file:///etc/hosts", "http://example.org/a", "a", "http://[::x/"])
def test_other_addresses_are_not_fetched(url: str, tmp_path: Path) -> None:
    with pytest.raises(SegNextError, match=r"is not fetched: only https|is no address"):
        download([url], tmp_path / "a")
    with pytest.raises(module._NoFileError):  # nor followed
        module._SafeRedirects().redirect_request(None, None, 302, "", None, url)


def test_a_server_that_drips_is_left(server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hours = itertools.count(step=3600)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: next(hours), sleep=time.sleep))
    server.files["/slow"] = bytes(1000)
    with pytest.raises(SegNextError, match="sends less than 1,000 bytes a second"):
        download([f"{server.address}/slow"], tmp_path / "slow")
