"""The finished strips of a raster, kept in a folder beside the result until it is whole.

A run that was killed goes on from there; several processes, on as many machines as see the folder, each make some of
the strips, and whoever makes the last one writes the result.
"""

import io
import shutil
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segnext.errors import SegNextError
from segnext.files import replacing
from segnext.inference.rasters.strips import Strip
from segnext.inference.unfinished import begin, fits, folder_for


class DamagedStripError(Exception):
    """A strip's file is not as it was written; it was removed."""


@dataclass(frozen=True)
class Parts:
    """The folder.

    Attributes:
        folder: where it is.
        count: of strips.
    """

    folder: Path
    count: int

    @classmethod
    def open(cls, out: Path, count: int, settings: dict[str, Any]) -> "Parts":
        """The parts of the result `out`, new or of a run before.

        Raises:
            SegNextError: when those that are there were made with other settings, or none can be written.
        """
        folder = folder_for(out)
        begin(folder, settings)
        return cls(folder, count)

    @staticmethod
    def forget(out: Path, settings: dict[str, Any]) -> None:
        """Remove what a run that was killed at its very end has left of the result `out`."""
        if fits(folder_for(out), settings):
            shutil.rmtree(folder_for(out), ignore_errors=True)

    def missing(self) -> list[int]:
        """The strips that are not there; none once another process has put them together."""
        try:
            there = {path.name for path in self.folder.iterdir()}
        except FileNotFoundError:
            return []
        return [number for number in range(self.count) if self._file(number).name not in there]

    def write(self, strip: Strip) -> None:
        """Keep a strip.

        Raises:
            SegNextError: when there is no room; the strips before it stay.
        """
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for name, layer in strip.layers.items():
                entry = zipfile.ZipInfo(f"{name}.npy")
                entry.compress_type, entry.file_size = zipfile.ZIP_DEFLATED, layer.nbytes
                with archive.open(entry, "w") as file:  # as np.save does, without a copy of it all
                    np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(layer))
                    file.write(layer.data)
        try:
            with replacing(self._file(strip.number)) as temporary:
                temporary.write_bytes(content.getbuffer())
        except OSError as error:
            raise SegNextError(
                f"{self.folder}: cannot write strip {strip.number} of {self.count} ({error.strerror or error}); "
                "make room, or bring the folder back, and run the command again: it goes on from there"
            ) from error

    def read(self, number: int, name: str) -> NDArray[np.uint8] | None:
        """A layer of a strip; None, and the strip is missing again, when its file is damaged."""
        try:
            with np.load(self._file(number), allow_pickle=False) as layers:
                layer: NDArray[np.uint8] = layers[name]
                return layer
        except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error):
            self._file(number).unlink(missing_ok=True)
            return None

    def layers(self, name: str) -> Iterator[NDArray[np.uint8]]:
        """One layer of all strips, from the top.

        Raises:
            DamagedStripError: when one is damaged.
        """
        for number in range(self.count):
            layer = self.read(number, name)
            if layer is None:
                raise DamagedStripError(f"{self.folder}: strip {number} is damaged")
            yield layer
            del layer  # before the next one is read

    def remove(self) -> None:
        """Delete the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _file(self, number: int) -> Path:
        return self.folder / f"strip-{number:06d}.npz"
