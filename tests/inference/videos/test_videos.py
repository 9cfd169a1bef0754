"""Videos to painted videos and masks: their times and sound kept, the same whatever happens on the way."""

import importlib
import json
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from video_files import drawing, write_video

from segnext.cli import main
from segnext.errors import SegNextError
from segnext.inference.legend import attached, film_legend
from segnext.inference.segmenter import Segmenter
from segnext.preprocess import Image

av = pytest.importorskip("av", reason="needs segnext[video]")
segments = importlib.import_module("segnext.inference.videos.segments")
segment_video = importlib.import_module("segnext.inference.videos.run").segment_video
Choice = importlib.import_module("segnext.inference.videos.shots").Choice


@pytest.fixture(autouse=True)
def short_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "LENGTH", 4)


def lines(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]


def bytes_of(out: Path) -> dict[str, bytes]:
    return {str(file.relative_to(out)): file.read_bytes() for file in sorted(out.rglob("*")) if file.is_file()}


def seconds(file: Path, kind: str = "video") -> list[float]:
    with av.open(str(file)) as container:
        return [float(frame.time) for frame in container.decode(**{kind: 0})]


def test_frames_times_and_sound_are_kept(segmenter: Segmenter, tmp_path: Path) -> None:
    times = [0, 40, 80, 200, 210, 260, 300, 350, 400, 480, 500, 900]
    path = write_video(tmp_path / "a.mp4", times=times, sound="aac", rotate=90)
    summary = segment_video(segmenter, path, tmp_path / "out")
    assert summary.overlay == tmp_path / "out" / "a.overlay.mp4"
    assert summary.problems == []
    assert seconds(summary.overlay) == pytest.approx([at / 1000 for at in times], abs=1e-6)
    with av.open(str(summary.overlay)) as film, av.open(str(path)) as source:
        video = film.streams.video[0]
        strip = film_legend(segmenter.labels, {}, 48, 64)
        assert (video.width, video.height) == (2 * -(-(48 + strip.shape[1]) // 2), max(64, len(strip)))  # upright
        sound = [bytes(packet) for packet in film.demux(audio=0) if packet.size]
        assert sound == [bytes(packet) for packet in source.demux(audio=0) if packet.size]
    found = lines(tmp_path / "out")
    assert [(line["frame"], line["time"]) for line in found] == [(n, at / 1000) for n, at in enumerate(times)]
    for result, line in zip(segmenter.video(path), found, strict=True):
        mask = np.array(PIL.Image.open(tmp_path / "out" / line["files"]["mask"]))
        np.testing.assert_array_equal(mask, result.mask)
        assert (result.frame, result.time) == (line["frame"], line["time"])
        assert line["seconds"] is None


def test_sound_that_players_do_not_take_is_encoded(segmenter: Segmenter, tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mkv", sound="pcm_s16le")
    summary = segment_video(segmenter, path, tmp_path / "out", every=6)
    assert summary.overlay is not None
    with av.open(str(summary.overlay)) as film:
        assert film.streams.audio[0].codec_context.name == "aac"
        assert float(film.streams.audio[0].duration * film.streams.audio[0].time_base) == pytest.approx(0.48, abs=0.05)


def test_every_third_frame_and_odd_sides(segmenter: Segmenter, tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.avi", 10, (45, 61), codec="ffv1", draw=lambda n, size: drawing(n // 3, size))
    summary = segment_video(segmenter, path, tmp_path / "out", every=3)
    assert [line["frame"] for line in lines(tmp_path / "out")] == [0, 3, 6, 9]
    assert summary.overlay is not None
    assert len(seconds(summary.overlay)) == 10
    with Image_of(summary.overlay) as first:
        strip = film_legend(segmenter.labels, {}, 61, 45)
        assert first.shape[0] == 45 + len(strip) + (45 + len(strip)) % 2
        assert np.abs(first[45 : 45 + len(strip), : strip.shape[1]].astype(int) - strip).mean() < 40
        result = next(iter(segmenter.video(path)))
        painted = np.array(result.overlay())[: 45 * 4, : 61 * 4]  # tiny pictures are enlarged there
        assert np.abs(first[:45, :61].astype(int) - painted[::4, ::4]).mean() < 25


class Image_of:  # noqa: N801
    """The first frame of a film."""

    def __init__(self, film: Path) -> None:
        self.film = film

    def __enter__(self) -> Image:
        with av.open(str(self.film)) as container:
            pixels: Image = next(container.decode(video=0)).to_ndarray(format="rgb24")
        return pixels

    def __exit__(self, *error: object) -> None:
        pass


def test_smoothing_is_a_mean_over_time(segmenter: Segmenter, tmp_path: Path) -> None:
    still = write_video(tmp_path / "still.mkv", 7, codec="ffv1", draw=lambda n, size: drawing(0, size))
    plain, smooth = (list(segmenter.video(still, smooth=reach)) for reach in (0, 2))
    for one, other in zip(plain, smooth, strict=True):
        assert (one.mask == other.mask).mean() > 0.99
    moving = write_video(tmp_path / "moving.mkv", 7, codec="ffv1")
    images = [result.image for result in segmenter.video(moving)]
    looks = [segmenter.looks(image)[0] for image in images]
    mean = sum(weight * looks[n].logits for n, weight in ((2, 1 / 9), (3, 2 / 9), (4, 3 / 9), (5, 2 / 9), (6, 1 / 9)))
    expected = segmenter.decide(images[4], [looks[4]._replace(logits=np.asarray(mean, np.float32))], "x").mask
    chosen = list(segmenter.video(moving, every=4, smooth=2))
    assert [result.frame for result in chosen] == [0, 4]
    assert (chosen[1].mask == expected).mean() > 0.999


@pytest.mark.skipif(sys.platform == "win32", reason="no such names there")
def test_names_that_ffmpeg_takes_for_addresses(
    segmenter: Segmenter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_video(tmp_path / "a.mp4", 3, sound="aac").rename(tmp_path / "a:b.mp4")
    monkeypatch.chdir(tmp_path)
    summary = segment_video(segmenter, "a:b.mp4", Path("c:d"))
    assert not summary.problems
    with av.open(str(tmp_path / "c:d" / "a:b.overlay.mp4")) as video:
        assert len([*video.decode(video.streams.video[0])]) == 3
        assert len(video.streams.audio) == 1


def test_what_is_looked_at() -> None:
    choice = Choice(5, 1, lambda number: number >= 10)
    assert [n for n in range(18) if choice.looked_at(n)] == [9, 10, 11, 14, 15, 16]
    with pytest.raises(SegNextError, match="every is 0"):
        Choice(0)


@pytest.mark.parametrize("processes", [2, 4])
def test_shares_and_interruptions_do_not_change_a_byte(segmenter: Segmenter, tmp_path: Path, processes: int) -> None:
    path = write_video(tmp_path / "a.mp4", 15, sound="aac")
    segment_video(segmenter, path, tmp_path / "whole", smooth=1)

    def interrupt(done: int, total: int) -> None:
        if done == 6:
            raise KeyboardInterrupt

    out = tmp_path / "parts"
    with pytest.raises(KeyboardInterrupt):
        segment_video(segmenter, path, out, smooth=1, progress=interrupt)
    assert len(list(out.glob(".a.overlay.mp4.parts/*.jsonl"))) == 1
    done = [segment_video(segmenter, path, out, smooth=1, share=(n, processes)) for n in reversed(range(processes))]
    assert done[0].overlay is None
    assert done[-1].overlay is not None
    assert bytes_of(out) == bytes_of(tmp_path / "whole")


def test_again_is_nothing_to_do_or_replaces(segmenter: Segmenter, tmp_path: Path) -> None:
    path, out = write_video(tmp_path / "a.mp4", 4), tmp_path / "out"
    segment_video(segmenter, path, out)
    before = bytes_of(out)
    assert segment_video(segmenter, path, out).before == "finished"
    assert bytes_of(out) == before
    assert segment_video(segmenter, path, out, every=2).before == "replaced"
    assert [line["frame"] for line in lines(out)] == [0, 2]
    (tmp_path / "other").mkdir()
    other = write_video(tmp_path / "other" / "a.mp4", 3)
    assert segment_video(segmenter, other, out).overlay == out / "a_2.overlay.mp4"


def test_masks_of_frames_that_are_not_looked_at_any_more_go(segmenter: Segmenter, tmp_path: Path) -> None:
    path, out = write_video(tmp_path / "a.mp4", 4), tmp_path / "out"
    segment_video(segmenter, path, out)
    segment_video(segmenter, path, out, every=2)
    assert sorted(file.name for file in (out / "a.frames").iterdir()) == ["000000.mask.png", "000002.mask.png"]


@pytest.mark.parametrize("change", ["content", "settings"])
def test_a_video_that_was_broken_off_and_changed_is_done_anew(
    segmenter: Segmenter, tmp_path: Path, change: str
) -> None:
    path, out = write_video(tmp_path / "a.mp4", 15), tmp_path / "out"

    def interrupt(done: int, total: int) -> None:
        if done == 9:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        segment_video(segmenter, path, out, progress=interrupt)
    if change == "content":
        write_video(path, 6)
    every = 2 if change == "settings" else 1
    assert segment_video(segmenter, path, out, every=every).overlay == out / "a.overlay.mp4"
    segment_video(segmenter, path, tmp_path / "fresh", every=every)
    assert bytes_of(out) == bytes_of(tmp_path / "fresh")


def test_damaged_and_resized_frames_are_said(
    segmenter: Segmenter, weights_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = [write_video(tmp_path / f"{n}.mjpeg", 5, size, codec="mjpeg") for n, size in ((0, (48, 64)), (1, (32, 48)))]
    data = bytearray(b"".join(part.read_bytes() for part in parts))
    starts = [at for at in range(len(data) - 1) if data[at : at + 3] == b"\xff\xd8\xff"]
    data[starts[2] + 4 : starts[3] - 8] = bytes(starts[3] - starts[2] - 12)
    (tmp_path / "a.mjpeg").write_bytes(data)
    arguments = ["--weights", str(weights_file), "--engine", "torch", "--out", str(tmp_path / "out")]
    assert main(["predict", str(tmp_path / "a.mjpeg"), *arguments]) == 1
    complaints = capsys.readouterr().err.splitlines()
    assert any("of another size than the first, from frame" in line for line in complaints), complaints
    found = {line["frame"]: line for line in lines(tmp_path / "out")}
    assert found[9]["height"] == 32
    film = tmp_path / "out" / "a.overlay.mp4"
    assert len(seconds(film)) >= 9
    with Image_of(film) as first:
        assert first.shape == attached(np.zeros((48, 64, 3), np.uint8), film_legend(segmenter.labels, {}, 64, 48)).shape


def test_no_room_keeps_what_is_finished(segmenter: Segmenter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, out = write_video(tmp_path / "a.mp4", 9), tmp_path / "out"
    code = (
        "import resource, signal, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000)); "
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); from segnext.inference.videos.encode import *; "
        "from segnext.inference.videos.source import Video; import numpy as np; from pathlib import Path\n"
        "with Video(sys.argv[1]) as video:\n"
        "    kind = Format.of(video, next(video.frames()).raw)\n"
        "    noise = np.random.default_rng(0)\n"
        "    images = [(n, noise.integers(0, 255, (*kind.size, 3), np.uint8)) for n in range(40)]\n"
        "    write_segment(Path(sys.argv[2]), images, kind)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, path, tmp_path / "s.nut"], capture_output=True, text=True)
    assert "s.nut: cannot be written" in done.stderr.splitlines()[-1]
    assert not list(tmp_path.glob("*.nut"))
    segment_video(segmenter, path, out)


def test_the_command(weights_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = write_video(tmp_path / "a.mp4", 5), tmp_path / "out"
    arguments = ["--weights", str(weights_file), "--engine", "torch", "--out", str(out)]
    assert main(["predict", str(path), *arguments, "--every", "2", "--json", str(tmp_path / "r.json")]) == 0
    assert f"overlay: {out}/a.overlay.mp4" in capsys.readouterr().out
    assert [line["frame"] for line in json.loads((tmp_path / "r.json").read_text())] == [0, 2, 4]
    assert main(["predict", str(path), *arguments, "--every", "2"]) == 0
    assert "finished already" in capsys.readouterr().out
    PIL.Image.fromarray(drawing(0, (40, 50))).save(tmp_path / "b.png")
    assert main(["predict", str(tmp_path / "b.png"), str(tmp_path / "none.mp4"), *arguments]) == 1
    assert "none.mp4: no such file" in capsys.readouterr().err
    assert main(["predict", str(tmp_path / "b.png"), *arguments, "--every", "2"]) == 2
    assert "--every is for videos" in capsys.readouterr().err


class Endless(SimpleHTTPRequestHandler):
    """Sends a file, and then nothing more, as a camera does whose picture stands still."""

    def do_GET(self) -> None:
        """Answer."""
        self.send_response(200)
        self.end_headers()
        content = (Path(self.directory) / self.path.lstrip("/")).read_bytes()
        try:
            for at in range(0, len(content), 2000):
                self.wfile.write(content[at : at + 2000])
                time.sleep(0.05)
        except OSError:
            pass

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT for one process")
def test_a_stream_is_ended_by_ctrl_c(weights_file: Path, tmp_path: Path) -> None:
    write_video(tmp_path / "live.ts", 400, sound="aac")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Endless, directory=str(tmp_path)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    out = tmp_path / "out"
    code = (
        "import sys; from segnext.inference.videos import segments; segments.LENGTH = 4; "
        "from segnext.cli import main; sys.exit(main())"
    )
    arguments = ["--weights", str(weights_file), "--engine", "torch", "--every", "4", "--out", str(out)]
    address = f"http://127.0.0.1:{server.server_port}/live.ts"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "predict", address, *arguments], stdout=subprocess.PIPE, text=True
    )
    while len(list(out.glob(".*.parts/*.jsonl"))) < 2 and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    server.shutdown()
    server.server_close()
    assert process.returncode == 0, said
    film = out / "live.overlay.mp4"
    assert 8 <= len(seconds(film)) < 400
    assert len(seconds(film, "audio")) > 0
    assert not list(out.glob(".*.parts"))
    assert lines(out)[0]["file"].startswith(f"{address}#")


def test_a_file_address_is_a_stream(segmenter: Segmenter, tmp_path: Path) -> None:
    path, out = write_video(tmp_path / "a.mp4", 5), tmp_path / "out"
    films = [segment_video(segmenter, f"file://{path}", out).overlay for _ in range(2)]
    assert films == [out / "a.overlay.mp4", out / "a_2.overlay.mp4"]
    assert len(lines(out)) == 10 or len({line["file"] for line in lines(out)}) == 1
    assert len(seconds(out / "a.overlay.mp4")) == 5
