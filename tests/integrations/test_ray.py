"""The lines for Ray in docs/folders.md, run as they are written."""

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from segnext.cli import main

PAGE = (Path(__file__).parents[2] / "docs" / "folders.md").read_text(encoding="utf-8")
(CODE,) = re.findall(r"```python\n(.*?)```", PAGE.split("## Ray\n")[1], re.DOTALL)

pytestmark = [pytest.mark.long, pytest.mark.filterwarnings("ignore")]  # what libraries warn of is theirs


@pytest.fixture
def ray() -> Iterator[Any]:
    pytest.importorskip("ray.data", reason="the package ray[data] is not installed")
    ray = import_module("ray")
    ray.init(num_cpus=3, object_store_memory=100 << 20, include_dashboard=False, log_to_driver=False)
    yield ray
    ray.shutdown()


@pytest.mark.usefixtures("ray")
def test_actors_write_what_the_command_writes(weights_file: Path, pictures: Path, tmp_path: Path) -> None:
    assert main(["predict", str(pictures), "--weights", str(weights_file), "--out", str(tmp_path / "expected")]) == 0
    expected = {file.name: file.read_bytes() for file in (tmp_path / "expected").glob("*.png")}
    assert len(expected) == 6
    for actors in (1, 2):
        out = tmp_path / f"by_{actors}"
        code = CODE.replace("/shared/pictures", str(pictures)).replace("/shared/predictions", str(out))
        code = code.replace('"RUN"', repr(str(weights_file))).replace("concurrency=2", f"concurrency={actors}")
        names: dict[str, Any] = {"__name__": "__main__"}  # whose classes are sent whole
        exec(compile(code, "docs/folders.md", "exec"), names)
        assert {file.name: file.read_bytes() for file in out.iterdir()} == expected
        assert sorted(row["name"] for row in names["shares"]) == ["a", "b", "c"]
        assert all(sum(share for key, share in row.items() if key != "name") > 0.99 for row in names["shares"])
