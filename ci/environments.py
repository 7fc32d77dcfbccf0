"""Do the lower bounds of pyproject.toml work, the newest versions, other Pythons, and a machine without torch?

    ci/environments [minimum newest torchless] [--python 3.11 3.12 ...]
                    [--tests tests/events/test_events.py ...] [--bounds]

Makes a virtual environment for each under .venv-environments/ (again only when its requirements change), runs tests in
it one environment after the other, and prints a table. `minimum` takes every lower bound literally, except torch's:
PIN says which version is taken instead. `newest` is installed for every Python asked for, the others for the first. In
`torchless` the tests that need networks are left out. --bounds only prints what `minimum` would install.
"""

from __future__ import annotations

import argparse
import glob
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
HOME = ROOT / ".venv-environments"
EXTRAS = ("forecast", "plot", "distributed", "reference", "test")
PIN = {"torch": "torch==2.13.0"}  # in all environments; its lower bound, and other versions, are not tried
TESTS = (
    "events/test_events",
    "events/test_events_refused",
    "events/test_percentiles",
    "events/test_published_definitions",
    "events/test_definitions",
    "package/test_units",
    "causality/test_causality",
    "causality/test_convergence",
    "causality/test_degree",
    "verification/test_verification",
    "verification/test_references",
    "verification/test_parts_and_tables",
    "verification/test_class_scores",
    "windows/test_patches",
    "package/test_architecture",
    "package/test_without_torch",
)
WITH_NETWORKS = {"windows/test_patches", "package/test_architecture"}


def requirements(name: str) -> list[str]:
    """What an environment installs, from pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + [each for extra in EXTRAS for each in project["optional-dependencies"][extra]]
    wanted = [each for each in wanted if not each.startswith("xdrought[")]
    if name == "minimum":
        wanted = [each.replace(">=", "==") for each in wanted]
    wanted = [PIN.get(re.split(r"[\[><=]", each)[0], each) for each in wanted]
    return [each for each in wanted if name != "torchless" or not each.startswith("torch==")]


def interpreter(version: str) -> str | None:
    """A Python of this version: on the path, or one of pyenv's."""
    candidates = [shutil.which(f"python{version}"), *glob.glob(f"{Path.home()}/.pyenv/versions/{version}.*/bin/python")]
    for path in candidates:
        if path and not subprocess.run([path, "-c", "import venv"], capture_output=True).returncode:
            return path
    return None


def build(name: str, version: str) -> Path | str:
    """The Python of an environment, made if need be; or why it could not be."""
    folder = HOME / f"{name}-{version}"
    python, stamp, wanted = folder / "bin" / "python", folder / "requirements.txt", requirements(name)
    if stamp.exists() and stamp.read_text() == "\n".join(wanted):
        return python
    base = interpreter(version)
    if base is None:
        return f"no Python {version} here"
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([base, "-m", "venv", folder], check=True)
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    for arguments in (wanted, ["--no-deps", "--editable", str(ROOT)]):
        done = subprocess.run([*pip, *arguments], capture_output=True, text=True)
        if done.returncode:
            return "pip: " + " ".join(line.strip() for line in done.stderr.splitlines() if "depends on" in line)
    stamp.write_text("\n".join(wanted))
    return python


def test(name: str, python: Path, tests: list[str]) -> tuple[str, float]:
    """The last line of pytest, and its CPU seconds."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1", "MPLBACKEND": "Agg"}
    environment["NUMBA_CACHE_DIR"] = str(python.parents[1] / "numba")
    before = os.times()
    command = [python, "-W", "ignore", "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    (python.parents[1] / "tests.log").write_text(done.stdout + done.stderr)
    after = os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return (done.stdout.strip().splitlines() or [done.stderr.strip()])[-1], spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=["minimum", "newest", "torchless"])
    parser.add_argument("--python", nargs="+", default=["3.11", "3.12", "3.13"])
    parser.add_argument("--tests", nargs="+", help="files or folders; a fast part of the tests by default")
    parser.add_argument("--bounds", action="store_true")
    options = parser.parse_args()
    if options.bounds:
        print("\n".join(requirements("minimum")))
        return
    rows, failed = [], False
    for name in options.names:
        for version in options.python if name == "newest" else options.python[:1]:
            python = build(name, version)
            fast = [f"tests/{each}.py" for each in TESTS if name != "torchless" or each not in WITH_NETWORKS]
            begun = time.perf_counter()
            said, spent = (python, 0.0) if isinstance(python, str) else test(name, python, options.tests or fast)
            failed |= " failed" in said or " error" in said or " passed" not in said
            rows.append(f"| {name} | {version} | {said} | {spent:.0f} |")
            print(rows[-1], f"{time.perf_counter() - begun:.0f} s", flush=True)
    print("\n| environment | Python | tests | CPU s |\n|---|---|---|---:|", *rows, sep="\n")
    sys.exit(int(failed))


if __name__ == "__main__":
    main()
