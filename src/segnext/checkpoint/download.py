"""One file from one of several addresses: resumed where it broke off, checked, and never half there."""

import hashlib
import http.client
import ipaddress
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from segnext.errors import SegNextError
from segnext.progress import bar

TIMEOUT = 30.0  # seconds without a byte
ATTEMPTS = 4  # in a row without a new byte, from one address
PAUSE = 1.0  # seconds before the second attempt, doubled before each further one
CHUNK = 1 << 18
GIVE_UP = (400, 401, 403, 404, 405, 410, 451)  # HTTP states that another attempt will not change

SLOWEST = 1000.0  # bytes a second, over TIMEOUT seconds
NEAR = (".localhost", ".local", ".internal", ".home.arpa", ".test", ".invalid")  # names that the Internet has not
LARGEST = 1_000_000_000  # bytes of a file of which nothing is said

Broken = (OSError, http.client.HTTPException, ValueError)  # URLError and timeouts are OSErrors; malformed replies


class UnavailableError(SegNextError):
    """No address gives the file."""


@dataclass(frozen=True)
class Downloaded:
    """What arrived: the address, its SHA-256 in full, its size in bytes."""

    url: str
    sha256: str
    size: int


def download(urls: Sequence[str], target: Path, sha256: str = "", limit: int = LARGEST) -> Downloaded:
    """Bring a file to `target`, which appears only whole and checked.

    What has arrived of it lies in TARGET.part, and a later call goes on from there, if the server can. Proxies are
    taken from the environment (https_proxy, no_proxy, ...), as urllib does.

    Args:
        urls: addresses of the same file, tried in this order.
        target: file to write; its folder must exist.
        sha256: the start of the file's SHA-256 in hexadecimal; empty where it is not known.
        limit: bytes that it has at most.

    Raises:
        UnavailableError: when no address gives the file, naming what each said.
        SegNextError: when the disk is full.
    """
    problems = []
    for url in urls:
        try:
            return _from(url, target, sha256, limit)
        except _NoFileError as error:
            problems.append(f"{url}: {error}")
    raise UnavailableError(f"{target.name} could not be downloaded ({'; '.join(problems)})")


class _NoFileError(Exception):
    """This address does not give the file; says why."""


def _from(url: str, target: Path, sha256: str, limit: int) -> Downloaded:
    _require_safe(url)
    part = Part(target, url, checked=bool(sha256))
    resumed = part.size > 0
    _fetch(url, part, target.name, limit)
    found = digest(part.path)
    if not found.startswith(sha256.lower()):
        part.remove()
        if resumed:  # what lay there may have been of another file
            return _from(url, target, sha256, limit)
        raise _NoFileError(f"its SHA-256 starts with {found[:8]} instead of {sha256}, so it was deleted")
    size = part.size
    part.finish()
    return Downloaded(url, found, size)


class Part:
    """The bytes of a file that have arrived so far, and which version of it they are of.

    That is the address and the server's mark, an ETag or a date; a file whose hash is unknown goes on only where both
    are the same, because pieces of two versions could not be told from a whole.
    """

    def __init__(self, target: Path, url: str, checked: bool) -> None:
        self.target = target
        self.path = target.with_name(f"{target.name}.part")
        self.version_path = target.with_name(f"{target.name}.part.version")
        self.url = url
        if not checked and not self._mark():
            self.remove()

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self.path.stat().st_size if self.path.exists() else 0

    def headers(self) -> dict[str, str]:
        """What to ask the server for: the rest of the same version."""
        if not self.size:
            return {}
        mark = self._mark()
        return {"Range": f"bytes={self.size}-"} | ({"If-Range": mark} if mark else {})

    def open(self, reply: http.client.HTTPResponse) -> IO[bytes]:
        """The file to write the reply to: after what there is, or from the beginning when the server begins there."""
        if reply.status == 206:
            return self.path.open("ab")
        mark = reply.headers.get("ETag") or reply.headers.get("Last-Modified") or ""
        self.version_path.write_text(f"{self.url}\n{mark}", encoding="utf-8")
        return self.path.open("wb")

    def remove(self) -> None:
        """Forget them."""
        self.path.unlink(missing_ok=True)
        self.version_path.unlink(missing_ok=True)

    def finish(self) -> None:
        """They are the whole file."""
        self.path.replace(self.target)
        self.version_path.unlink(missing_ok=True)

    def _mark(self) -> str:
        """The server's mark, if what there is came from this address."""
        if not self.version_path.exists():
            return ""
        url, _, mark = self.version_path.read_text(encoding="utf-8").partition("\n")
        return mark if url == self.url else ""


def _fetch(url: str, part: Part, name: str, limit: int) -> None:
    """Bring the rest of the file, over as many connections as it takes while each brings something new."""
    failures = 0
    farthest = part.size
    with _progress() as progress:
        task = progress.add_task(f"{name} from {urlsplit(url).hostname}", total=None)
        while True:
            try:
                return _connection(url, part, progress, task, limit)
            except urllib.error.HTTPError as error:
                error.close()
                if error.code == 416:  # the server's file is shorter than what is here
                    part.remove()
                elif error.code in GIVE_UP:
                    raise _NoFileError(f"HTTP {error.code} {error.reason}") from error
                problem = f"HTTP {error.code} {error.reason}"
            except Broken as error:
                problem = str(getattr(error, "reason", error)) or type(error).__name__
            failures = 0 if part.size > farthest else failures + 1
            farthest = max(farthest, part.size)
            if failures == ATTEMPTS:
                raise _NoFileError(f"{problem}, after {ATTEMPTS} attempts")
            time.sleep(PAUSE * 2 ** max(0, failures - 1))


def _connection(url: str, part: Part, progress: Progress, task: TaskID, limit: int) -> None:
    """One connection: the rest of the file, or all of it from a server that does not know ranges."""
    headers = {"User-Agent": f"segnext/{version('segnext')}", "Accept-Encoding": "identity", **part.headers()}
    offset = part.size
    opener = urllib.request.build_opener(_SafeRedirects)  # with the proxies that the environment names now
    with opener.open(urllib.request.Request(url, headers=headers), timeout=TIMEOUT) as reply:
        if reply.headers.get_content_type() == "text/html":
            raise _NoFileError("sent a web page instead of the file")
        if reply.status != 206:
            offset = 0
        elif not reply.headers.get("Content-Range", "").startswith(f"bytes {offset}-"):
            part.remove()
            raise OSError("the server sent another part than was asked for")
        length = reply.headers.get("Content-Length")
        total = offset + int(length) if length else None
        if total is not None and total > limit:
            raise _NoFileError(f"is {total:,} bytes, and no such file has more than {limit:,}")
        progress.reset(task, total=total, completed=offset)
        with _writing(part):
            file = part.open(reply)
        with file:
            since, got = time.monotonic(), 0
            while chunk := reply.read1(CHUNK):
                with _writing(part):
                    file.write(chunk)
                progress.update(task, advance=len(chunk))
                offset, got = offset + len(chunk), got + len(chunk)
                if offset > limit:
                    break
                if (passed := time.monotonic() - since) > TIMEOUT:
                    if got < SLOWEST * passed:
                        raise _NoFileError(f"sends less than {SLOWEST:,.0f} bytes a second")
                    since, got = time.monotonic(), 0
    if offset > limit:
        part.remove()
        raise _NoFileError(f"sends more than the {limit:,} bytes that such a file has at most")
    if total is not None and part.size < total:
        raise OSError(f"the connection broke off at {part.size} of {total} bytes")


def _require_safe(url: str) -> None:
    """Refuse an address that anyone on the way could answer for: https alone, or http where the host is near."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        raise _NoFileError("is no address") from None
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_local(host)):
        raise _NoFileError("is not fetched: only https addresses are, and http ones of this machine or network")


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return bool(host) and ("." not in host or host.endswith(NEAR))


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follows a server to addresses that would be fetched by themselves alone."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        _require_safe(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


@contextmanager
def _writing(part: Part) -> Iterator[None]:
    """Tell the disk's errors, which no other attempt mends, from the network's."""
    try:
        yield
    except OSError as error:
        problem = error.strerror or str(error)
        raise SegNextError(f"{part.path}: cannot be written ({problem}); make room, or set SEGNEXT_CACHE") from error


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _progress() -> Progress:
    """A bar on stderr with size, rate and time left; nothing when stderr is not a terminal."""
    description = TextColumn("{task.description}")
    return bar(
        description, BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn(), transient=False
    )
