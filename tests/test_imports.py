"""Imports point one way, and what is heavy is imported late."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import segnext

ROOT = Path(segnext.__file__).parent
BASE = {"errors", "files", "labels", "preprocess", "imageio", "bands"}

# Each package or module at the top, and what else of ours it may import.
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "files": set(),
    "allocator": set(),
    "figures": set(),
    "preprocess": set(),
    "labels": {"errors"},
    "imageio": {"errors", "preprocess"},
    "bands": {"errors", "preprocess", "imageio"},
    "kernels": set(),
    "model": {"errors", "kernels"},
    "checkpoint": BASE | {"model", "data"},  # of data the class names, for weights that do not name theirs
    "data": BASE | {"figures"},
    "inference": BASE | {"allocator", "kernels", "model", "checkpoint"},
    "evaluation": BASE | {"figures", "data", "checkpoint", "inference"},
    "training": BASE | {"allocator", "figures", "model", "data", "inference", "evaluation", "checkpoint"},
    "pretraining": BASE | {"allocator", "model", "data", "checkpoint", "training"},
    "benchmark": BASE | {"allocator", "kernels", "model", "checkpoint", "data", "inference"},
    "cli": BASE
    | {"allocator", "model", "data", "inference", "evaluation", "checkpoint", "training"}
    | {"pretraining", "benchmark"},
}
# The package itself names what is public, and `python -m segnext` is the command.
ENTRANCES = {"__init__": {"errors", "labels", "model", "inference", "training"}, "__main__": {"cli"}}
PURE = {"evaluation/metrics.py": set[str](), "inference/tiling.py": set[str]()}
HEAVY = {"torch", "cv2", "matplotlib", "numba", "openvino", "onnxruntime", "tensorboardX", "PIL", "rasterio", "scipy"}

FILES = sorted(ROOT.rglob("*.py"))


def imports(tree: ast.AST) -> Iterator[str]:
    """Dotted names of every module that is imported anywhere in the file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            assert node.module is not None
            yield from (
                [f"segnext.{alias.name}" for alias in node.names] if node.module == "segnext" else [node.module]
            )


def of_ours(file: Path) -> set[str]:
    """Names at the top of our package that a file imports, its own left out."""
    names = {name.split(".")[1] for name in imports(ast.parse(file.read_text())) if name.startswith("segnext.")}
    return names - {room(file)}


def room(file: Path) -> str:
    return file.relative_to(ROOT).parts[0].removesuffix(".py")


def test_the_rules_name_everything_there_is() -> None:
    assert {room(file) for file in FILES} == ALLOWED.keys() | ENTRANCES.keys()
    named = [name for rules in (ALLOWED, ENTRANCES) for names in rules.values() for name in names]
    assert set(named) <= ALLOWED.keys()


def test_the_rules_hold_no_circle() -> None:
    open_rooms = dict(ALLOWED)
    order: list[str] = []
    while open_rooms:
        free = [name for name, needs in open_rooms.items() if needs <= set(order)]
        assert free, f"a circle among {sorted(open_rooms)}"
        order += free
        for name in free:
            del open_rooms[name]
    assert order[-1] == "cli"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_imports_point_one_way(file: Path) -> None:
    assert of_ours(file) <= {**ALLOWED, **ENTRANCES}[room(file)]


def test_nothing_imports_the_command_line() -> None:
    importers = {room(file) for file in FILES if "cli" in of_ours(file)}
    assert importers == {"__main__"}


@pytest.mark.parametrize(("name", "allowed"), PURE.items())
def test_pure_modules_import_nothing_of_ours(name: str, allowed: set[str]) -> None:
    if not (ROOT / name).exists():
        pytest.skip(f"there is no {name} yet")
    assert {n for n in imports(ast.parse((ROOT / name).read_text())) if n.startswith("segnext")} == allowed


def test_the_network_needs_torch_and_numpy_alone() -> None:
    for file in FILES:
        if room(file) == "model":
            foreign = {name.split(".")[0] for name in imports(ast.parse(file.read_text()))}
            assert foreign - sys.stdlib_module_names <= {"segnext", "torch", "numpy"}, file


def loaded_by(code: str) -> set[str]:
    """Heavy packages that are loaded after running `code` in a new process."""
    tail = f"\nimport sys\nprint('loaded', *sorted({HEAVY!r} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code + tail], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split()[1:])


def test_importing_the_package_is_quick() -> None:
    assert loaded_by("import segnext; segnext.SegNextError, segnext.Labels, dir(segnext)") == set()


def test_help_of_the_command_line_is_quick() -> None:
    assert loaded_by("from segnext.cli import main; assert main(['--help']) == 0; main(['--version'])") == set()


def test_help_of_every_command_comes_without_torch() -> None:
    code = "from segnext.cli import COMMANDS, main\nfor name in COMMANDS: assert main([name, '--help']) == 0"
    assert loaded_by(code) & {"torch", "matplotlib", "numba"} == set()


def test_public_names_are_found() -> None:
    assert set(segnext.__all__) == set(dir(segnext))
    for name in segnext.__all__:
        assert getattr(segnext, name).__name__ == name
    with pytest.raises(AttributeError, match="module 'segnext' has no attribute 'nothing'"):
        _ = segnext.nothing
