"""Reading masks: files of one label, grey level or colour per pixel, whatever their format."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from segnext.errors import SegNextError
from segnext.pillow import open_picture, open_regular, orientation_of, upright

Mask = NDArray[np.uint8]  # H x W labels
Codes = NDArray[np.int32]  # H x W: grey levels, palette indices or colours 0xRRGGBB

TEXTS, ARRAYS = (".txt", ".csv"), (".npy", ".npz")  # suffixes of matrices of labels that are no pictures
LARGEST_TEXT = 256_000_000  # bytes
_GREY = ("1", "L", "I", "I;16", "I;16L", "I;16B", "I;16N")
_INT32 = np.iinfo(np.int32)


class PairError(SegNextError):
    """A picture or mask that cannot be used; `kind` groups the reasons."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@contextmanager
def open_mask(path: Path, *, decoded: bool = True) -> Iterator[Image.Image]:
    """A mask's picture, decoded unless only its header is needed.

    Raises:
        PairError: when it cannot be read.
    """
    try:
        with open_picture(path) as file:
            if decoded:
                file.load()
            yield file
    except PairError:
        raise
    except SegNextError as error:
        reason = str(error).removeprefix(f"{path}: ")
        raise PairError("unreadable mask", f"{path}: cannot be read as a mask: {reason}") from error


def read_labels(path: Path) -> Mask:
    """The labels of a mask as data sets of ours hold them, H x W: a grey or palette picture of up to 8 bits.

    Raises:
        PairError: when the file cannot be read or has more than one channel.
    """
    with open_mask(path) as file:
        if file.mode not in ("L", "P", "1"):
            raise PairError(
                "no labels",
                f"{path}: a mask of mode {file.mode}; masks hold one 8-bit label per pixel, as grey or palette PNG",
            )
        return np.asarray(file, dtype=np.uint8)


def read_values(path: Path) -> Codes:
    """One number per pixel, H x W: grey level, palette index, or what a matrix of numbers holds.

    RGB pictures whose three channels are equal are grey ones.

    Raises:
        PairError: when the file is unreadable, or has colours or fractions.
    """
    if path.suffix.lower() in (*TEXTS, *ARRAYS):
        return _whole(_matrix(path), path)
    with open_mask(path) as file:
        if file.mode == "P" or file.mode in _GREY:
            values = np.asarray(file).astype(np.int32)
        elif file.mode == "F":
            values = _whole(np.nan_to_num(np.asarray(file), nan=-1.0), path)
        elif (shape := _shape_in_alpha(file)) is not None:
            values = shape.astype(np.int32)
        else:
            channels = np.asarray(file.convert("RGB"))
            if (channels != channels[..., :1]).any():
                raise PairError(
                    "colours", f"{path}: holds colours instead of one label per pixel; import it by --from colors"
                )
            values = channels[..., 0].astype(np.int32)
        return np.ascontiguousarray(upright(values, orientation_of(file)))


def _matrix(path: Path) -> NDArray[np.generic]:
    """The matrix in a text file, whose columns blanks, commas, semicolons or tabs part, or in numpy's format."""
    try:
        with open_regular(path) as file:
            if path.suffix.lower() in ARRAYS:
                loaded = np.load(file, allow_pickle=False)
                matrix = loaded if isinstance(loaded, np.ndarray) else loaded[loaded.files[0]]
            else:
                text = file.read(LARGEST_TEXT).decode("utf-8-sig").translate(str.maketrans(",;\t", "   "))
                matrix = np.loadtxt(text.splitlines(), ndmin=2)
    except SegNextError as error:
        raise PairError("unreadable mask", str(error)) from error
    except Exception as error:  # numpy raises almost anything on damaged files
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise PairError("unreadable mask", f"{path}: cannot be read as a matrix of labels ({reason})") from error
    squeezed = np.squeeze(matrix) if matrix.ndim > 2 else matrix
    if squeezed.ndim != 2 or squeezed.size == 0 or squeezed.dtype.kind not in "buif":
        raise PairError("unreadable mask", f"{path}: is {matrix.dtype} of shape {matrix.shape}, no matrix of labels")
    return squeezed


def _whole(numbers: NDArray[np.generic], path: Path) -> Codes:
    """Numbers that are whole, as integers."""
    whole = np.rint(numbers.astype(np.float64))
    if (whole != numbers).any():
        raise PairError("fractions", f"{path}: holds fractions instead of labels; write whole numbers")
    return whole.clip(_INT32.min, _INT32.max).astype(np.int32)


def read_grey(path: Path) -> Mask:
    """Brightness 0 to 255, H x W, of grey, 1-bit, palette or nearly grey RGB pictures.

    Raises:
        PairError: when the file is unreadable or has strong colours.
    """
    with open_mask(path) as file:
        if file.mode in _GREY and file.mode not in ("1", "L"):
            values = np.asarray(file)
            grey = (values >> 8 if values.max() > 255 else values).astype(np.uint8)
        elif file.mode == "F":
            numbers = np.nan_to_num(np.asarray(file), nan=0.0)
            grey = (numbers * (255 if numbers.max() <= 1 else 1)).clip(0, 255).astype(np.uint8)
        elif (shape := _shape_in_alpha(file)) is not None:
            grey = shape
        else:
            channels = np.asarray(file.convert("RGB"))
            if np.ptp(channels, axis=2).max() > 48:  # JPEG makes grey a little coloured
                raise PairError("colours", f"{path}: holds colours instead of black and white; use --from colors")
            grey = channels[..., 1]
        return np.ascontiguousarray(upright(grey, orientation_of(file)))


def read_binary(path: Path) -> NDArray[np.bool_]:
    """Where the mask of one class is, H x W: a picture of 0 and 255, or of 0 and 1.

    Raises:
        PairError: when the file is unreadable, or holds other values.
    """
    mask = read_labels(path)
    values = set(np.flatnonzero(np.bincount(mask.ravel(), minlength=256)).tolist())
    if not (values <= {0, 1} or values <= {0, 255}):
        strange = min(values - {0, 1, 255}, default=1)
        raise PairError(
            "no labels",
            f"{path}: holds the value {strange}; the mask of one class is 0 where it is not and 255 (or 1) where it "
            "is, so round others (edges smoothed by a drawing tool, say) to those",
        )
    return mask > 0


def _shape_in_alpha(file: Image.Image) -> Mask | None:
    """The transparency of a mask that has one colour all over and its shape in that alone; else None."""
    if "A" not in file.getbands():
        return None
    alpha = np.asarray(file.getchannel("A"))
    channels = np.asarray(file.convert("RGB"))
    return alpha if (alpha != alpha[0, 0]).any() and not (channels != channels[0, 0]).any() else None


def read_colors(path: Path) -> tuple[Codes, NDArray[np.bool_] | None]:
    """Colours 0xRRGGBB, H x W, and which pixels are wholly transparent (None when none are).

    Raises:
        PairError: when the file is unreadable.
    """
    clear = None
    with open_mask(path) as file:
        if file.mode == "P" and "transparency" not in file.info:
            palette = np.zeros((256, 3), np.int32)
            entries = np.array(file.getpalette("RGB"), np.int32).reshape(-1, 3)
            palette[: len(entries)] = entries
            codes = pack(palette)[np.asarray(file)]
        else:
            channels = np.asarray(file.convert("RGBA" if file.has_transparency_data else "RGB"))
            codes = pack(channels)
            if channels.shape[2] == 4 and not channels[..., 3].all():
                clear = channels[..., 3] == 0
        orientation = orientation_of(file)
    codes = np.ascontiguousarray(upright(codes, orientation))
    return codes, None if clear is None else np.ascontiguousarray(upright(clear, orientation))


def pack(channels: NDArray[np.integer]) -> Codes:
    """(..., 3 or more) 8-bit RGB to 0xRRGGBB."""
    red, green, blue = (channels[..., index].astype(np.int32) for index in range(3))
    return red << 16 | green << 8 | blue


def is_indexed(path: Path) -> bool:
    """Whether a mask holds one number per pixel; False for colours.

    Raises:
        PairError: when the file is unreadable.
    """
    with open_mask(path, decoded=False) as file:
        return file.mode == "P" or file.mode in _GREY


def is_lossy(path: Path) -> bool:
    """Whether a mask is a JPEG, whose colours run into each other.

    Raises:
        PairError: when the file is unreadable.
    """
    with open_mask(path, decoded=False) as file:
        return file.format in ("JPEG", "MPO")
