"""Imports point one way, and what is heavy is imported late."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import segnext

ROOT = Path(segnext.__file__).parent
BASE = {
    *(
        "silence",
        "errors",
        "choices",
        "files",
        "gdal",
        "words",
        "documents",
        "plain",
        "progress",
        "labels",
        "preprocess",
        "pillow",
        "tiff",
        "opencv",
        "imageio",
        "bands",
    ),
    "painting",
}

# Each package or module at the top, and what else of ours it may import.
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "choices": {"errors"},
    "files": {"errors", "choices"},
    "gdal": {"errors", "files", "silence"},
    "documents": {"errors"},
    "allocator": set(),
    "bfloat16": set(),
    "words": set(),
    "progress": set(),
    "silence": set(),
    "figures": {"files", "silence"},
    "tables": set(),
    "painting": {"labels", "preprocess"},
    "pages": {"files"},
    "plain": {"files"},
    "interrupt": set(),
    "preprocess": set(),
    "labels": {"errors", "documents"},
    "pillow": {"errors", "files", "silence"},
    "tiff": {"errors"},
    "opencv": {"silence"},
    "imageio": {"errors", "preprocess", "pillow", "tiff", "opencv"},
    "bands": {"errors", "gdal", "documents", "words", "preprocess", "imageio", "pillow", "tiff", "opencv"},
    "cache": {"progress"},
    "kernels": {"cache"},
    "model": {"errors", "choices", "kernels"},
    "checkpoint": BASE | {"cache", "model", "data"},  # of data the class names, for weights that do not name theirs
    "data": BASE | {"figures", "pages"},
    "inference": BASE | {"cache", "allocator", "bfloat16", "interrupt", "kernels", "model", "checkpoint"},
    "evaluation": BASE | {"figures", "pages", "data", "checkpoint", "inference"},
    "training": BASE
    | {"allocator", "bfloat16", "figures", "interrupt", "kernels", "model", "data", "inference", "evaluation"}
    | {"checkpoint"},
    "pretraining": BASE | {"allocator", "figures", "model", "data", "checkpoint", "training"},
    "tuning": BASE | {"figures", "pages", "training"},
    "export": BASE | {"kernels", "model", "data", "checkpoint", "inference", "evaluation", "bench"},
    "integrations": BASE | {"kernels", "model", "data", "checkpoint", "inference"},
    "bench": BASE
    | {"tables", "allocator", "bfloat16", "figures", "kernels", "model", "checkpoint", "data", "inference"},
    "compare": BASE
    | {"figures", "pages", "interrupt", "model", "data", "inference", "evaluation", "checkpoint", "training", "bench"},
    "cli": BASE
    | {"allocator", "interrupt", "model", "data", "inference", "evaluation", "checkpoint", "training"}
    | {"tables", "pretraining", "bench", "compare", "export", "tuning"},
}
# The package itself names what is public, and `python -m segnext` is the command.
ENTRANCES = {"__init__": {"checkpoint", "errors", "labels", "model", "inference", "training"}, "__main__": {"cli"}}
PURE = {"evaluation/metrics.py", "inference/tiling.py"}  # import nothing else of ours but the error users can mend
HEAVY = {"torch", "cv2", "matplotlib", "numba", "openvino", "onnxruntime", "tensorboardX", "PIL", "rasterio", "scipy"}

FILES = {path.relative_to(ROOT).as_posix(): path for path in sorted(ROOT.rglob("*.py"))}
Arrows = dict[str, set[str]]  # a file, and the files of ours that it imports


def imports(tree: ast.AST) -> Iterator[str]:
    """Dotted names of all that is imported anywhere in the file: at its top, in functions, for type checkers."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def file_of(dotted: str) -> str:
    """The file that an import reads; of a name in a module, the module's."""
    parts = dotted.split(".")[1:]
    for count in range(len(parts), 0, -1):
        path = "/".join(parts[:count])
        for name in (f"{path}.py", f"{path}/__init__.py"):
            if name in FILES:
                return name
    return "__init__.py"


def arrows_of(text: str) -> set[str]:
    names = {name for name in imports(ast.parse(text)) if name.split(".")[0] == "segnext"}
    return {file_of(name) for name in names}


ARROWS: Arrows = {name: arrows_of(path.read_text(encoding="utf-8")) - {name} for name, path in FILES.items()}


def room(file: str) -> str:
    return file.split("/")[0].removesuffix(".py")


def circle(arrows: Arrows) -> list[str]:
    """Files that import each other in a circle; none where there is no circle."""
    try:
        TopologicalSorter(arrows).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_files_import_each_other_in_a_circle() -> None:
    assert circle(ARROWS) == []


def test_imports_of_every_kind_are_seen() -> None:
    text = """
import segnext
import segnext.labels as names
from segnext import errors
from segnext.data import folder
if TYPE_CHECKING:
    from segnext.bands import Raster
def late():
    from segnext.model.families import build
"""
    expected = {"__init__.py", "labels.py", "errors.py", "data/folder.py", "bands.py", "model/families.py"}
    assert arrows_of(text) == expected
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"a"}}) != []
    assert circle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_the_rules_name_everything_there_is() -> None:
    assert {room(file) for file in FILES} == ALLOWED.keys() | ENTRANCES.keys()
    named = [name for rules in (ALLOWED, ENTRANCES) for names in rules.values() for name in names]
    assert set(named) <= ALLOWED.keys()
    assert FILES.keys() >= PURE


def test_the_rules_hold_no_circle() -> None:
    assert circle(ALLOWED) == []
    assert not any("cli" in rooms for rooms in ALLOWED.values())


@pytest.mark.parametrize("file", FILES)
def test_imports_point_one_way(file: str) -> None:
    rooms = {room(other) for other in ARROWS[file]} - {room(file)}
    assert rooms <= {**ALLOWED, **ENTRANCES}[room(file)]


@pytest.mark.parametrize("file", sorted(PURE))
def test_pure_modules_import_nothing_of_ours(file: str) -> None:
    assert ARROWS[file] <= {"errors.py"}


def test_the_network_needs_torch_and_numpy_alone() -> None:
    for file, path in FILES.items():
        if room(file) == "model":
            foreign = {name.split(".")[0] for name in imports(ast.parse(path.read_text(encoding="utf-8")))}
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
