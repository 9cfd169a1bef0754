"""Matrices of numbers in MATLAB files of versions 5 to 7, as which SBD and Pascal Context publish their labels.

A file is a header of 128 bytes and then elements; a matrix is an element made of elements (MathWorks, "MAT-File
Format").
"""

import math
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segnext.data.masks import PairError

HEADER = 128
ORDERS = {b"IM": "<", b"MI": ">"}  # the header's last two bytes -> byte order
MATRIX, COMPRESSED = 14, 15  # types of elements; those of numbers:
NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
STRUCTURE, DOUBLE, UINT64 = 2, 6, 15  # kinds of matrices; from DOUBLE to UINT64 they hold numbers
COMPLEX = 0x800  # a flag beside the kind

Element = tuple[int, memoryview]  # type and content


def read_matrix(path: Path, name: str, *fields: str) -> NDArray[Any]:
    """The matrix of numbers called `name`, or what lies in a structure of that name under `fields`, one in another.

    Returns:
        Rows x columns.

    Raises:
        PairError: when the file cannot be read, or holds no such matrix.
    """
    try:
        content = memoryview(path.read_bytes())
        order = ORDERS[bytes(content[HEADER - 2 : HEADER])]
        for kind, element in _elements(content[HEADER:], order):
            parts = list(_elements(element, order)) if kind == MATRIX else []
            if len(parts) > 2 and bytes(parts[2][1]) == name.encode():
                return _numbers(parts, fields, order)
    except (OSError, LookupError, TypeError, ValueError, struct.error, zlib.error) as error:
        raise PairError(
            "unreadable mask", f"{path}: cannot be read as a MATLAB file of version 5 to 7 ({error}); download it again"
        ) from error
    raise PairError("unreadable mask", f"{path}: holds no {name}; give the file as its authors published it")


def _elements(content: memoryview, order: str) -> Iterator[Element]:
    """The elements that follow each other in `content`, compressed ones unpacked."""
    while content:
        kind, size = struct.unpack_from(f"{order}II", content)
        start = 8
        if kind >> 16:  # a small element has size and type in the first four bytes, its content in the next four
            kind, size, start = kind & 0xFFFF, kind >> 16, 4
        element = content[start : start + size]
        if len(element) < size:
            raise ValueError("it ends early")
        if kind == COMPRESSED:
            yield from _elements(memoryview(zlib.decompress(element)), order)
            content = content[start + size :]
        else:
            yield kind, element
            content = content[start + size + (-(start + size)) % 8 :]


def _numbers(parts: list[Element], fields: tuple[str, ...], order: str) -> NDArray[Any]:
    """The numbers of a matrix, which consists of flags, sizes, name and content."""
    flags = int(_vector(parts[0], order)[0])
    shape = tuple(int(side) for side in _vector(parts[1], order))
    kind = flags & 0xFF
    if fields:
        if kind != STRUCTURE or math.prod(shape) != 1:
            raise ValueError(f"there is no structure with a field {fields[0]}")
        return _numbers(_field(parts[3:], fields[0], order), fields[1:], order)
    if not DOUBLE <= kind <= UINT64 or flags & COMPLEX:
        raise ValueError("it holds something else than real numbers")
    return _vector(parts[3], order).reshape(shape, order="F")


def _field(parts: list[Element], name: str, order: str) -> list[Element]:
    """The parts of the matrix in a structure's field; the fields follow the length of their names, and the names."""
    length = int(_vector(parts[0], order)[0])
    names = bytes(parts[1][1])
    known = [names[start : start + length].split(b"\0")[0].decode() for start in range(0, len(names), length)]
    if name not in known:
        raise ValueError(f"its fields are {', '.join(known)}, and not {name}")
    return list(_elements(parts[2 + known.index(name)][1], order))


def _vector(element: Element, order: str) -> NDArray[Any]:
    kind, content = element
    return np.frombuffer(content, np.dtype(f"{order}{NUMBERS[kind]}"))
