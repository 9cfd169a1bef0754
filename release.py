"""Build the wheel and the sdist into dist/, and try them in empty environments.

    python release.py [--python 3.10 3.11 ...] [--versions newest lowest] [--extras fast] [--pip "ARGS of pip install"]

The wheel is tried on every Python from 3.10 to 3.13 that is found (or `--python` names), with the newest versions of
the dependencies, and on the first of them with the lowest that pyproject.toml allows; the sdist on the first as well.
Each environment is made in a temporary folder, gets the file and its dependencies by pip, and must import every public
name, print its version, segment a picture with the packaged weights and train a step. Needs the package `build`.
"""

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import tomllib

ROOT = Path(__file__).parent
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
CHECK = "import segnext; [getattr(segnext, name) for name in segnext.__all__]"
DRAW = """
import numpy as np, pathlib, PIL.Image
for split in ("train", "val"):
    for kind, shape in (("images", (64, 64, 3)), ("masks", (64, 64))):
        folder = pathlib.Path("data", kind, split)
        folder.mkdir(parents=True)
        PIL.Image.fromarray(np.random.default_rng(0).integers(0, 2, shape, np.uint8)).save(folder / "a.png")
pathlib.Path("data/dataset.yaml").write_text("name: toy\\nclasses: [a, b]\\nignore: 255\\n")
"""
TRAIN = "--iterations 1 --batch-size 2 --crop 64 64 --eval-every 1 --check-data false --device cpu --precision fp32"


def main() -> int:
    """Build, then try."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", nargs="+", metavar="P", help="versions or paths of interpreters to try with")
    parser.add_argument("--versions", nargs="+", choices=("newest", "lowest"), default=("newest", "lowest"))
    parser.add_argument("--extras", default="", help="of the package, such as fast or fast,coco")
    parser.add_argument("--pip", default="", metavar="ARGS", help="more arguments of pip install")
    args = parser.parse_args()
    wheel, sdist = build()
    pythons = [find(name) for name in args.python] if args.python else found()
    extra = shlex.split(args.pip)
    for place, python in enumerate(pythons):
        for versions in args.versions:
            if versions == "newest" or place == 0:
                try_out(wheel, python, versions, args.extras, extra)
        if place == 0 and "newest" in args.versions:
            try_out(sdist, python, "newest", args.extras, extra)
    return 0


def build() -> tuple[Path, Path]:
    """The wheel and the sdist, in dist/."""
    dist = ROOT / "dist"
    for old in dist.glob("segnext-*"):
        old.unlink()
    run(sys.executable, "-m", "build", "--outdir", str(dist), str(ROOT))
    wheels, sdists = (sorted(dist.glob(f"segnext-*{ending}")) for ending in (".whl", ".tar.gz"))
    if len(wheels) != 1 or len(sdists) != 1:
        raise SystemExit(f"{dist}: a wheel and an sdist were to be built, not {[*wheels, *sdists]}")
    return wheels[0], sdists[0]


def find(name: str) -> str:
    """The interpreter of a version, or one that is named by its path."""
    python = shutil.which(f"python{name}" if re.fullmatch(r"3\.\d+", name) else name)
    if python is None:
        raise SystemExit(f"{name}: there is no such Python; name a path")
    return python


def found() -> list[str]:
    """The Pythons that are there and start, the oldest first; at least this one."""
    there = [python for name in PYTHONS if (python := shutil.which(f"python{name}")) and starts(python)]
    return there or [sys.executable]


def starts(python: str) -> bool:
    """Whether an interpreter is one: pyenv leaves files of those names that only say that there is none."""
    return subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode == 0


def lowest(extras: str) -> list[str]:
    """Constraints on the oldest series of each dependency that pyproject.toml allows: numpy>=1.26 -> numpy==1.26.*."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = [each for extra in filter(None, extras.split(",")) for each in project["optional-dependencies"][extra]]
    pairs = (re.fullmatch(r"([\w.-]+)(?:\[.*\])?>=([\d.]+)", each) for each in (*project["dependencies"], *named))
    return [f"{pair[1]}=={pair[2]}.*" for pair in pairs if pair]


def try_out(file: Path, python: str, versions: str, extras: str, pip: list[str]) -> None:
    """Install a file into an empty environment, away from the sources, and use it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run(python, "-m", "venv", str(folder / "env"))
        scripts = folder / "env" / ("Scripts" if sys.platform == "win32" else "bin")
        inside, command = str(scripts / "python"), str(scripts / "segnext")
        constraints = folder / "lowest.txt"
        constraints.write_text("\n".join(lowest(extras) if versions == "lowest" else []), encoding="utf-8")
        target = f"{file}[{extras}]" if extras else str(file)
        run(inside, "-m", "pip", "install", "--quiet", "--constraint", str(constraints), *pip, target)
        run(inside, "-c", CHECK, cwd=folder)
        run(command, "--version", cwd=folder)
        run(command, "predict", str(ROOT / "docs" / "street.png"), "--out", "out", cwd=folder)
        run(inside, "-c", DRAW, cwd=folder)
        run(command, "train", "--data", "data", "--out", "run", *TRAIN.split(), cwd=folder)
        for made in ("out/street.mask.png", "out/street.overlay.png", "run/best.safetensors", "run/report.html"):
            if not (folder / made).is_file():
                raise SystemExit(f"{file.name}: no {made} was written")
        shown = subprocess.run([inside, "--version"], capture_output=True, text=True, check=True).stdout.strip()
        print(f"{file.name}: installs, segments and trains with {shown}, {versions} versions", flush=True)


def run(*command: str, cwd: Path | None = None) -> None:
    """Run a command; a failure ends the release. Packages of the caller's PYTHONPATH are not in empty environments."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    if subprocess.run(command, cwd=cwd, check=False, env=environment).returncode:
        raise SystemExit(f"failed: {shlex.join(command)}")


if __name__ == "__main__":
    sys.exit(main())
