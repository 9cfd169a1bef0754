"""MATLAB files, written here byte by byte."""

from pathlib import Path

import numpy as np
import pytest
from public_trees import element, matlab, matrix, structure

from segnext.data.formats.public.matlab import read_matrix
from segnext.data.masks import PairError

ROWS = [[1, 2, 3], [4, 5, 256]]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("kind", ["u2", "f8"])
def test_numbers_by_name(order: str, compressed: bool, kind: str, tmp_path: Path) -> None:
    other = matrix("other", [[7]], order=order)
    matlab(tmp_path / "a.mat", other, matrix("LabelMap", ROWS, kind, order), order=order, compressed=compressed)
    found = read_matrix(tmp_path / "a.mat", "LabelMap")
    assert found.tolist() == ROWS
    assert found.dtype.kind + str(found.dtype.itemsize) == kind
    assert read_matrix(tmp_path / "a.mat", "other").tolist() == [[7]]


def test_fields_of_structures(tmp_path: Path) -> None:
    inner = structure("", {"one": matrix("", [[1]]), "two": matrix("", [[2, 2]])})
    matlab(tmp_path / "a.mat", structure("outer", {"first": matrix("", ROWS, "u2"), "second": inner}))
    assert read_matrix(tmp_path / "a.mat", "outer", "first").tolist() == ROWS
    assert read_matrix(tmp_path / "a.mat", "outer", "second", "two").tolist() == [[2, 2]]
    with pytest.raises(PairError, match=r"a\.mat: .*its fields are first, second, and not third"):
        read_matrix(tmp_path / "a.mat", "outer", "third")
    with pytest.raises(PairError, match="there is no structure with a field deep"):
        read_matrix(tmp_path / "a.mat", "outer", "first", "deep")
    with pytest.raises(PairError, match="holds something else than real numbers"):
        read_matrix(tmp_path / "a.mat", "outer")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    file = tmp_path / "a.mat"
    matlab(file, matrix("LabelMap", np.arange(600).reshape(20, 30).tolist(), "u2"))
    with pytest.raises(PairError, match=r"a\.mat: holds no GTcls; give the file as its authors published it"):
        read_matrix(file, "GTcls")
    whole = file.read_bytes()
    for length in (0, 100, 130, 150, len(whole) - 10):
        file.write_bytes(whole[:length])
        with pytest.raises(
            PairError, match=r"a\.mat: cannot be read as a MATLAB file of version 5 to 7 \(.*download it"
        ):
            read_matrix(file, "LabelMap")
    file.write_bytes(whole[:200] + bytes(50) + whole[250:])
    with pytest.raises(PairError, match="cannot be read as a MATLAB file"):
        read_matrix(file, "LabelMap")
    matlab(file, element(14, element(6, bytes(8)) + element(5, bytes(8)) + element(1, b"LabelMap")), compressed=False)
    with pytest.raises(PairError, match="cannot be read as a MATLAB file"):
        read_matrix(file, "LabelMap")
    with pytest.raises(PairError, match="cannot be read as a MATLAB file"):
        read_matrix(tmp_path / "nowhere.mat", "LabelMap")
