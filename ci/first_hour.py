"""How long does the first hour take? The README from the top, in a fresh environment outside of the tree.

    ci/first_hour [--light] [--keep FOLDER]

Makes a wheel and an environment in a new folder, installs as the README says, runs its example statement by statement
with an empty cache of compiled code, and the command line. --light stops before the networks, which need PyTorch.
Prints a table of wall seconds, CPU seconds and installed size. Exits with 1 when a step fails, when the package with
what it needs is larger than 600 MB, or when the example leaves another file than its picture.
"""

from __future__ import annotations

import argparse
import ast
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PICTURE = "droughts.png"
LIGHT_MB = 600  # of the package with what it needs, without pip and pictures


@dataclass
class Row:
    step: str
    wall: float
    cpu: float

    def __str__(self) -> str:
        return f"| {self.step} | {self.wall:.1f} | {self.cpu:.1f} |"


def example() -> tuple[str, str]:
    """The example of the README, up to its picture and from there on."""
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    ends = [
        node.end_lineno or 0 for node in ast.parse(code).body if PICTURE in (ast.get_source_segment(code, node) or "")
    ]
    lines = code.splitlines(keepends=True)
    return "".join(lines[: ends[0]]), "".join(lines[ends[0] :])


def installs() -> list[str]:
    """What the README installs first, light and with networks, e.g. "[plot]"."""
    return re.findall(r'^pip install "\.(\[[^"]*\])"', README, re.MULTILINE)


# Runs code statement by statement, in one process, and says how long each took.
TIMED = """
import ast, sys, time
code, space = open(sys.argv[1]).read(), {}
for node in ast.parse(code).body:
    text = ast.get_source_segment(code, node)
    wall, cpu = time.perf_counter(), time.process_time()
    exec(compile(ast.Module([node], []), "README.md", "exec"), space)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"@@{wall:.3f}@@{cpu:.3f}@@{text.splitlines()[0]}", file=sys.stderr)
"""


class FreshMachine:
    """A folder with an environment, a home and a working folder of its own."""

    def __init__(self, folder: Path):
        self.folder, self.work = folder, folder / "work"
        self.work.mkdir(parents=True)
        self.bin = folder / "venv" / "bin"
        self.rows: list[Row] = []
        self.environment = {
            name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "XDROUGHT_DATA_DIR")
        } | {
            "HOME": str(folder),
            "NUMBA_CACHE_DIR": str(folder / "numba"),
            "MPLBACKEND": "Agg",
            "MPLCONFIGDIR": str(folder),
        }

    def run(self, step: str, *command: str | Path) -> subprocess.CompletedProcess:
        before, begun = os.times(), time.perf_counter()
        done = subprocess.run(
            [str(each) for each in command],
            cwd=self.work,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        after = os.times()
        cpu = after.children_user + after.children_system - before.children_user - before.children_system
        self.add(Row(step, time.perf_counter() - begun, cpu))
        if done.returncode:
            print(done.stdout[-3000:], done.stderr[-3000:], sep="\n", file=sys.stderr)
            raise SystemExit(f"failed: {step}")
        return done

    def add(self, row: Row) -> None:
        self.rows.append(row)
        print(row, flush=True)

    def timed(self, code: str) -> None:
        """Each statement of the example; one process, as a notebook has."""
        script, runner = self.folder / "example.py", self.folder / "timed.py"
        script.write_text(code), runner.write_text(TIMED)
        done = self.run("the example, in all", self.bin / "python", runner, script)
        for wall, cpu, text in re.findall(r"^@@(.*?)@@(.*?)@@(.*)$", done.stderr, re.MULTILINE):
            self.add(Row(f"`{text[:60]}`", float(wall), float(cpu)))

    def size(self) -> int:
        """MB of the packages that are installed, without pip."""
        total = 0
        for path in (self.folder / "venv").rglob("*"):
            if path.is_file() and not path.is_symlink() and not re.search(r"site-packages/pip", str(path)):
                total += path.stat().st_size
        return round(total / 1e6)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--light", action="store_true", help="stop before the networks")
    parser.add_argument("--keep", type=Path, help="a new folder that stays, with the pictures")
    options = parser.parse_args()
    folder = options.keep or Path(tempfile.mkdtemp(prefix="xdrought-first-hour-"))
    try:
        walk(FreshMachine(folder.resolve()), options.light)
    finally:
        if options.keep is None:
            shutil.rmtree(folder)


def walk(machine: FreshMachine, light_only: bool) -> None:
    light, whole = installs()[:2]
    first, rest = example()
    print(f"Python {sys.version.split()[0]}\n\n| step | wall s | CPU s |\n|---|---:|---:|")
    machine.run("an environment", sys.executable, "-m", "venv", machine.folder / "venv")
    pip = (machine.bin / "python", "-m", "pip")
    quiet = ("--quiet", "--disable-pip-version-check", "--constraint", ROOT / "ci" / "constraints.txt")
    machine.run("a wheel", *pip, "wheel", "--quiet", "--no-deps", "--wheel-dir", machine.folder, ROOT)
    (wheel,) = machine.folder.glob("xdrought-*.whl")
    machine.run('`pip install "."`', *pip, "install", *quiet, wheel)
    size = machine.size()
    machine.run(f'`pip install ".{light}"`', *pip, "install", *quiet, f"{wheel}{light}")
    with_pictures = machine.size()
    machine.timed(first)
    machine.run("`xdrought --help`", machine.bin / "xdrought", "--help")
    if not light_only:
        machine.run(f'`pip install ".{whole}"`', *pip, "install", *quiet, f"{wheel}{whole}")
        machine.timed(first + rest)
    left = sorted(path.name for path in machine.work.iterdir() if path.name != PICTURE)
    print(f"\ninstalled, without pip: {size} MB; with pictures {with_pictures} MB; in all {machine.size()} MB")
    if not (machine.work / PICTURE).is_file() or left:
        raise SystemExit(f"the example should leave {PICTURE} alone, found also {left}")
    if size > LIGHT_MB:
        raise SystemExit(f"the package with what it needs has {size} MB, more than {LIGHT_MB}")


if __name__ == "__main__":
    main()
