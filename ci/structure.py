"""The structure of the package in numbers: size, what a call passes through, circles of imports.

    python ci/structure.py [--package FOLDER]

Prints the rows of a table. A call is traced: the files whose functions run between the accessor and the arithmetic, and
the names under which they hold the soil moisture that was given.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

ROOT = Path(__file__).parents[1]


def python_files(folder: Path) -> list[Path]:
    """All Python files below a folder."""
    return sorted(folder.rglob("*.py"))


def count_lines(files: list[Path]) -> int:
    return sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files)


def count_words(files: list[Path], pattern: str) -> int:
    return sum(len(re.findall(pattern, path.read_text(encoding="utf-8"))) for path in files)


def import_graph(package: Path) -> dict[str, set[str]]:
    """Each module of the package with the modules of it that it imports, for type checkers too."""
    names = {
        ".".join(path.relative_to(package.parent).with_suffix("").parts).removesuffix(".__init__"): path
        for path in python_files(package)
    }
    graph: dict[str, set[str]] = {name: set() for name in names}
    for name, path in names.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                for alias in node.names:
                    for target in (f"{node.module}.{alias.name}", node.module):
                        if target in names:
                            graph[name] |= {target} - {name}
                            break
            elif isinstance(node, ast.Import):
                graph[name] |= {alias.name for alias in node.names if alias.name in names} - {name}
    return graph


def modules_in_circles(graph: dict[str, set[str]]) -> list[str]:
    """Modules from which imports lead back to themselves."""

    def reach(name: str) -> set[str]:
        seen: set[str] = set()
        todo = [name]
        while todo:
            new = graph[todo.pop()] - seen
            seen |= new
            todo += new
        return seen

    return sorted(name for name in graph if name in reach(name))


def walk(call: Callable[[], Any], values: xr.DataArray, package: Path) -> tuple[set[str], set[str]]:
    """Files of the package whose functions run in a call, and the names of parameters that hold `values`."""
    files: set[str] = set()
    names: set[str] = set()
    data = values.values

    def is_it(value: Any) -> bool:
        array = value.values if isinstance(value, xr.DataArray) and value.chunks is None else value
        return isinstance(array, np.ndarray) and array.dtype == data.dtype and np.shares_memory(array, data)

    def trace(frame: Any, event: str, argument: Any) -> None:
        path = Path(frame.f_code.co_filename)
        if event == "call" and path.is_relative_to(package):
            files.add(str(path.relative_to(package)))
            code = frame.f_code
            for name in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]:
                if name != "self" and is_it(frame.f_locals.get(name)):
                    names.add(name)

    sys.setprofile(trace)
    try:
        call()
    finally:
        sys.setprofile(None)
    return files, names


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--package", type=Path, default=ROOT / "xdrought")
    package = parser.parse_args().package.resolve()
    sys.path.insert(0, str(package.parent))
    import xdrought  # noqa: F401

    rng = np.random.default_rng(0)
    time = pd.date_range("2000-01-01", periods=2000)
    ds = xr.Dataset(
        {name: (("site", "time"), rng.random((2, 2000))) for name in ("soil_moisture", "tp")},
        {"time": time, "site": ["a", "b"]},
    )
    ds["soil_moisture"].attrs["units"] = "m3 m-3"
    ds["tp"].attrs["units"] = "m"
    root = package.parent
    rows: list[tuple[str, object]] = []
    for name in ("xdrought", "tests", "ci", "docs"):
        files = python_files(root / name) if (root / name).exists() else []
        rows.append((f"{name}: Python files, lines", f"{len(files)}, {count_lines(files):,}"))
    files = python_files(package)
    sizes = sorted(len(path.read_text().splitlines()) for path in files)
    rows.append(
        (
            "package: median lines of a file, share below 100",
            f"{sizes[len(sizes) // 2]}, {np.mean(np.array(sizes) < 100):.0%}",
        )
    )
    rows.append(("mentions of `caller` in the package", count_words(files, r"\bcaller\b")))
    everything = [
        path for name in ("xdrought", "tests", "ci", "docs", "examples") for path in python_files(root / name)
    ]
    rows.append(("`fmt: skip`", count_words(everything, "fmt: " + "skip")))
    rows.append(("modules in circles of imports, typing counted", len(modules_in_circles(import_graph(package)))))
    calls = {
        "ccm": lambda: ds.xdrought.ccm("tp", "soil_moisture"),
        "flash_drought_events": lambda: ds.xdrought.flash_drought_events("soil_moisture"),
    }
    for name, call in calls.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            call()  # compiled code is not traced while it is compiled
            passed, names = walk(call, ds["soil_moisture"], package)
        rows.append(
            (
                f"{name}: files passed, names of soil moisture",
                f"{len(passed)}, {len(names)}: {', '.join(sorted(names))}",
            )
        )
    for what, number in rows:
        print(f"| {what} | {number} |")


if __name__ == "__main__":
    main()
