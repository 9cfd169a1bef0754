"""Frames of videos: upright, with their own times, whatever the file is like."""

import importlib
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from video_files import drawing, write_video

from segnext.errors import SegNextError
from segnext.inference.kinds import is_stream, is_video

pytest.importorskip("av", reason="needs segnext[video]")
Clock, Video = (
    getattr(importlib.import_module("segnext.inference.videos.source"), name) for name in ("Clock", "Video")
)

if TYPE_CHECKING:
    from segnext.inference.videos.source import Frame


def frames(path: Path) -> "list[Frame]":
    with Video(path) as video:
        return list(video.frames())


def test_what_is_a_video_is_seen_by_its_name() -> None:
    assert is_video("street.MP4")
    assert is_video("rtsp://camera/1")
    assert is_video("/dev/video0")
    assert not is_video("street.png")
    assert not is_video("video0")
    assert is_stream("file:///street.mp4")
    assert not is_stream("street.mp4")


@pytest.mark.parametrize("rotate", [0, 90, -90, 180])
def test_frames_are_upright(tmp_path: Path, rotate: int) -> None:
    path = write_video(tmp_path / "a.mp4", 2, rotate=rotate)
    expected = np.rot90(drawing(0, (48, 64)), rotate // 90)
    image = frames(path)[0].image()
    assert image.shape == expected.shape
    assert np.abs(image.astype(int) - expected).mean() < 12


def test_times_are_the_files_own(tmp_path: Path) -> None:
    times = [0, 40, 45, 200, 1000]
    path = write_video(tmp_path / "a.mp4", 5, times=times)
    with Video(path) as video:
        assert [float(frame.pts * video.tick) for frame in video.frames()] == [time / 1000 for time in times]
        assert video.count == 5
        assert video.broken is None


def test_a_clock_never_goes_back() -> None:
    clock = Clock(10)
    assert [clock(pts) for pts in (0, 10, None, 30, 5, 15, 15, 40)] == [0, 10, 20, 30, 40, 50, 60, 85]


def test_frames_that_cannot_be_decoded_are_counted(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.avi", 12, codec="mjpeg")
    data = bytearray(path.read_bytes())
    places = [at for at in range(len(data) - 1) if data[at : at + 3] == b"\xff\xd8\xff"]
    data[places[4] : places[5] - 16] = bytes(places[5] - 16 - places[4])
    path.write_bytes(data)
    found = frames(path)
    assert [frame.number for frame in found] == list(range(12))
    assert [frame.number for frame in found if frame.error] == [4]


def test_a_file_that_breaks_off_says_so(tmp_path: Path) -> None:
    import av

    whole = write_video(tmp_path / "a.mp4", 40)
    with av.open(str(whole)) as source, av.open(str(tmp_path / "b.mp4"), "w", options={"movflags": "faststart"}) as out:
        stream = out.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                out.mux(packet)
    data = (tmp_path / "b.mp4").read_bytes()
    (tmp_path / "b.mp4").write_bytes(data[: len(data) * 2 // 3])
    with Video(tmp_path / "b.mp4") as video:
        count = len(list(video.frames()))
        assert 0 < count < 40
        assert video.broken is not None
        assert "breaks off after" in video.broken


@pytest.mark.parametrize(("suffix", "codec"), [("mkv", "libx264"), ("webm", "libvpx"), ("flv", "libx264")])
def test_a_file_that_is_shorter_than_it_says_breaks_off(tmp_path: Path, suffix: str, codec: str) -> None:
    path = write_video(tmp_path / f"a.{suffix}", 90, codec=codec)
    for kept in (1, 0.5):
        data = path.read_bytes()
        path.write_bytes(data[: int(len(data) * kept)])
        with Video(path) as video:
            count = len(list(video.frames()))
            assert (count == 90) == (kept == 1)
            assert (video.broken is None) == (kept == 1)
    assert f"breaks off after {count} frames, which were done" in str(video.broken)


@pytest.mark.parametrize(("suffix", "codec"), [("ts", "libx264"), ("y4m", "rawvideo")])
def test_a_file_that_ends_within_a_packet_breaks_off(tmp_path: Path, suffix: str, codec: str) -> None:
    path = write_video(tmp_path / f"a.{suffix}", 60, codec=codec)
    for kept, broken in ((0, False), (1000, True)):
        path.write_bytes(path.read_bytes()[: -kept or None])
        with Video(path) as video:
            count = len(list(video.frames()))
            assert (count < 60) == broken
            assert bool(video.broken) == broken
    assert f"breaks off in the midst after {count} frames, which were done" in str(video.broken)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.mp4", b"no video at all", "cannot be read as a video"),
        ("a.mp4", b"", "cannot be read as a video"),
        ("a.mkv", b"\x1aE\xdf\xa3", "cannot be read as a video"),
        ("none.mp4", None, "no such file"),
    ],
)
def test_bad_files_are_one_sentence(tmp_path: Path, name: str, content: bytes | None, words: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(SegNextError, match=words) as error:
        frames(tmp_path / name)
    assert "\n" not in str(error.value)


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    import av

    with av.open(str(tmp_path / "a.mp4"), "w") as out:
        track = out.add_stream("aac", rate=48000)
        for number in range(20):
            piece = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            piece.sample_rate, piece.pts = 48000, 1024 * number
            out.mux(track.encode(piece))
        out.mux(track.encode(None))
    with pytest.raises(SegNextError, match="holds no video, only audio"):
        frames(tmp_path / "a.mp4")


def test_no_frames(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.avi", 1, codec="mjpeg")
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"movi") + 4])
    with warnings.catch_warnings(), pytest.raises(SegNextError, match=r"no frames|cannot be read|breaks off"):
        frames(path)


def test_playlists_lead_nowhere(tmp_path: Path) -> None:
    (tmp_path / "a.ts").write_text("#EXTM3U\n#EXTINF:1,\nhttp://localhost:9/secret.ts\n#EXT-X-ENDLIST\n")
    with pytest.raises(SegNextError, match="cannot be read as a video"):
        frames(tmp_path / "a.ts")
