"""Where windows lie on a picture that is looked at in parts. Geometry alone, without pictures or networks."""

from collections.abc import Iterator

Window = tuple[slice, slice]  # rows and columns


def windows(height: int, width: int, crop: int, stride: int) -> Iterator[Window]:
    """Windows of crop x crop that together cover height x width, row by row.

    They begin every `stride` pixels; the last of a row or column is moved inwards, so that it ends with the picture.
    Along a side shorter than `crop` there is one window as long as that side. This is the released code's geometry.
    """
    for rows in spans(height, crop, stride):
        for columns in spans(width, crop, stride):
            yield rows, columns


def spans(length: int, crop: int, stride: int) -> Iterator[slice]:
    """The windows along one side.

    Raises:
        ValueError: when length, crop or stride are not positive, or the stride would leave gaps.
    """
    if min(length, crop) < 1 or not 1 <= stride <= crop:
        raise ValueError(f"windows of {crop} every {stride} cannot cover {length}")
    last = max(length - crop, 0)  # where the last window begins
    for start in range(0, last + stride, stride):
        start = min(start, last)
        yield slice(start, min(start + crop, length))
