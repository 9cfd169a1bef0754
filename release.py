"""Build the wheel and the sdist into dist/, and try each in an empty environment.

    python release.py [--extras fast] [--pip "--constraint constraints.txt"]

Each environment is made in a temporary folder, gets the file and its dependencies by pip, and must import every public
name, print its version and segment a picture with the packaged weights. Needs the package `build`.
"""

import argparse
import shlex
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parent
CHECK = "import segnext; [getattr(segnext, name) for name in segnext.__all__]"


def main() -> int:
    """Build, then try."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--extras", default="", help="of the package, such as fast or fast,coco")
    parser.add_argument("--pip", default="", metavar="ARGS", help="more arguments of pip install")
    args = parser.parse_args()
    dist = ROOT / "dist"
    for old in dist.glob("segnext-*"):
        old.unlink()
    run(sys.executable, "-m", "build", "--outdir", str(dist), str(ROOT))
    files = sorted(dist.glob("segnext-*"))
    if len(files) != 2:
        raise SystemExit(f"{dist}: a wheel and an sdist were to be built, not {[file.name for file in files]}")
    for file in files:
        try_out(file, args.extras, shlex.split(args.pip))
        print(f"{file.name}: installs, imports and segments")
    return 0


def try_out(file: Path, extras: str, pip: list[str]) -> None:
    """Install a file into an empty environment, away from the sources, and use it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        venv.create(folder / "env", with_pip=True)
        scripts = folder / "env" / ("Scripts" if sys.platform == "win32" else "bin")
        python = str(scripts / "python")
        run(python, "-m", "pip", "install", "--quiet", *pip, f"{file}[{extras}]" if extras else str(file))
        run(python, "-c", CHECK, cwd=folder)
        run(str(scripts / "segnext"), "--version", cwd=folder)
        picture = str(ROOT / "docs" / "street.png")
        run(str(scripts / "segnext"), "predict", picture, "--out", "out", cwd=folder)
        for ending in ("mask.png", "overlay.png"):
            if not (folder / "out" / f"street.{ending}").is_file():
                raise SystemExit(f"{file.name}: no street.{ending} was written")


def run(*command: str, cwd: Path | None = None) -> None:
    """Run a command; a failure ends the release."""
    if subprocess.run(command, cwd=cwd, check=False).returncode:
        raise SystemExit(f"failed: {shlex.join(command)}")


if __name__ == "__main__":
    sys.exit(main())
