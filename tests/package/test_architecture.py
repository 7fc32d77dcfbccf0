"""The direction of imports: who may know whom, read from the source, and what a fresh interpreter loads."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import xdrought

HEAVY = {"torch", "shap", "captum", "causal_ccm", "cartopy", "matplotlib", "numba"}
LATE = HEAVY | {"pint", "h5py", "cfgrib", "requests", "xbatcher", "tqdm", "safetensors", "sklearn"}
# What a room may import of others, by the first name; the standard library is free to all.
FOREIGN = {
    "xdrought.kernels": {"numpy", "numba", "llvmlite", "scipy", "causal_ccm"},
    "xdrought.statistics": {"numpy", "numba", "scipy"},
    "xdrought.models": {"numpy", "torch", "safetensors"},
}
# Checks of values and labels, units and time axes, which every room may use.
SHARED_NAMES = [
    "public_functions",
    "checks",
    "files",
    "units",
    "calendars",
    "limits",
    "quantities",
    "alignment",
    "provenance",
    "shown",
    "suggestions",
    "version",
    "choices",
    "flags",
    "untrusted",
]
SHARED = {f"xdrought.{name}" for name in SHARED_NAMES}
# What a room may import of xdrought.
OWN = {
    "xdrought.kernels": {"xdrought.kernels", "xdrought.statistics"},
    "xdrought.models": {"xdrought.models", "xdrought.choices"},
    "xdrought.data": {"xdrought.data", "xdrought.simulation", "xdrought.statistics", *SHARED},
    "xdrought.simulation": {"xdrought.simulation", "xdrought.data", *SHARED},
    "xdrought.statistics": {"xdrought.statistics"},
    "xdrought.checks": {"xdrought.suggestions"},
    "xdrought.public_functions": {"xdrought.checks", "xdrought.suggestions"},
    "xdrought.suggestions": set(),
    "xdrought.choices": set(),
    "xdrought.flags": set(),
    "xdrought.shown": set(),
    "xdrought.units": set(),
    "xdrought.alignment": {"xdrought.checks"},
    "xdrought.calendars": {"xdrought.alignment"},
    "xdrought.definitions": {
        *("xdrought.checks", "xdrought.choices", "xdrought.public_functions", "xdrought.shown", "xdrought.suggestions")
    },
}
# What a room must not reach, through whatever lies between.
UNREACHABLE = {
    "xdrought.events": {"causality", "windows", "forecast", "attribution", "verification", "models"},
    # the torch engine of causality lies with the models
    "xdrought.causality": {"events", "windows", "forecast", "attribution", "verification"},
    "xdrought.windows": {"events", "causality", "forecast", "attribution", "verification", "models"},
    "xdrought.verification": {"causality", "forecast", "attribution", "models"},
    # warnings learn from labelled onsets of the events
    "xdrought.forecast": {"attribution"},
}
# Plots, study and reproduction use everything; study is used by reproduction only, the accessor by the package only.
LAST = ("xdrought.accessor", "xdrought.plot", "xdrought.study", "xdrought.reproduction", "xdrought")


@dataclass(frozen=True)
class Import:
    """One name that a module imports: as it is written, and whether at import time or for type checkers only."""

    name: str
    at_once: bool
    typing_only: bool = False


def read_imports(source: str) -> list[Import]:
    """Every import of a module's source, absolute names."""
    return list(_walk(ast.parse(source), at_once=True, typing_only=False))


def _walk(node: ast.AST, at_once: bool, typing_only: bool) -> Iterator[Import]:
    if isinstance(node, ast.Import):
        yield from (Import(alias.name, at_once, typing_only) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield from (Import(f"{'.' * node.level}{node.module or ''}.{a.name}", at_once, typing_only) for a in node.names)
    elif isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
        for child in node.body:
            yield from _walk(child, at_once, True)
        for child in node.orelse:
            yield from _walk(child, at_once, typing_only)
    else:
        inside = at_once and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.iter_child_nodes(node):
            yield from _walk(child, inside, typing_only)


def module_names(folder: Path) -> dict[str, Path]:
    """Dotted name of every module of a package folder."""
    files = folder.rglob("*.py")
    return {".".join(p.relative_to(folder.parent).with_suffix("").parts).removesuffix(".__init__"): p for p in files}


MODULES = module_names(Path(xdrought.__file__).parent)
IMPORTS = {name: read_imports(path.read_text(encoding="utf-8")) for name, path in MODULES.items()}
Imports = dict[str, list[Import]]


def own_module(name: str, modules: Iterable[str]) -> str | None:
    """The module of the package that an imported name is or lies in; None for another package."""
    while name and name not in modules:
        name = name.rpartition(".")[0]
    return name or None


def edges(imports: Imports, *, at_once: bool = False, typing: bool = False) -> dict[str, set[str]]:
    """Module to the modules of the package that it imports at run time, or with `typing` also for type checkers."""
    found = {}
    for module, names in imports.items():
        counted = [i for i in names if (typing or not i.typing_only) and (i.at_once or not at_once)]
        wanted = [own_module(i.name, imports) for i in counted]
        found[module] = {target for target in wanted if target is not None and target != module}
    return found


def room(module: str, rooms: Iterable[str]) -> str | None:
    """The room that a module is or lies in."""
    return next((name for name in rooms if module == name or module.startswith(f"{name}.")), None)


def foreign_trespass(imports: Imports) -> list[str]:
    """Modules that import a package which their room may not know."""
    return [
        f"{module} imports {i.name}"
        for module, names in imports.items()
        if (where := room(module, FOREIGN))
        for i in names
        if (first := i.name.split(".")[0]) not in FOREIGN[where] | set(sys.stdlib_module_names) | {"xdrought"}
        and first != "__future__"
    ]


def own_trespass(imports: Imports) -> list[str]:
    """Modules that import a room which theirs may not know."""
    return [
        f"{module} imports {target}"
        for module, targets in edges(imports).items()
        if (where := room(module, OWN))
        for target in sorted(targets)
        if room(target, OWN[where] | {where}) is None
    ]


def back_to_the_last(imports: Imports) -> list[str]:
    """Modules that import the accessor, the package itself, the plots or the study without being one of these."""
    trespass = []
    for module, targets in edges(imports).items():
        for target in sorted(targets):
            late = room(target, LAST[:-1]) or ("xdrought" if target == "xdrought" else None)
            allowed = {
                "xdrought.accessor": {"xdrought"},
                "xdrought.plot": {"xdrought.study", "xdrought.cli"},
                "xdrought": {"xdrought.study"},
            }
            fine = {late, "xdrought.reproduction", *allowed.get(str(late), set())}
            if late and (room(module, LAST[:-1]) or module) not in fine:
                trespass.append(f"{module} imports {target}")
    return trespass


def reach(module: str, graph: dict[str, set[str]]) -> set[str]:
    """Everything that importing a module, or calling into it, can import."""
    seen: set[str] = set()
    todo = [module]
    while todo:
        new = graph[todo.pop()] - seen
        seen |= new
        todo += new
    return seen


def out_of_reach(imports: Imports) -> list[str]:
    """Rooms that another one reaches though it must not."""
    graph = edges(imports)
    return [
        f"{module} reaches {target}"
        for module, rooms in UNREACHABLE.items()
        if module in graph
        for target in sorted(reach(module, graph))
        if room(target, [f"xdrought.{name}" for name in rooms])
    ]


def cycles(imports: Imports) -> list[str]:
    """Modules that can import themselves again."""
    graph = edges(imports, typing=True)
    return [module for module in graph if module in reach(module, graph)]


def heavy_at_once(imports: Imports) -> list[str]:
    """Modules that import a heavy package when they are imported, outside the rooms that are made of it."""
    return [
        f"{module} imports {i.name}"
        for module, names in imports.items()
        for i in names
        if i.at_once and not i.typing_only and (first := i.name.split(".")[0]) in HEAVY
        if first not in FOREIGN.get(room(module, FOREIGN) or "", set()) or first == "causal_ccm"
    ]


def rooms_at_once(imports: Imports) -> list[str]:
    """Modules of the package that bring numba or torch with them through kernels or models."""
    graph = edges(imports, at_once=True)
    made_of = {
        module: {i.name.split(".")[0] for i in names if i.at_once and not i.typing_only} & HEAVY
        for module, names in imports.items()
    }
    return [
        f"{module} brings {sorted(heavy)} through {target}"
        for module in imports
        if room(module, FOREIGN) is None
        for target in sorted(reach(module, graph))
        if (heavy := made_of[target])
    ]


def stars(imports: Imports) -> list[str]:
    return [f"{module} imports {i.name}" for module, names in imports.items() for i in names if i.name.endswith(".*")]


RULES = [foreign_trespass, own_trespass, back_to_the_last, out_of_reach, cycles, heavy_at_once, rooms_at_once, stars]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_package_keeps_the_rule(rule):
    assert rule(IMPORTS) == []


BROKEN = {
    foreign_trespass: {"xdrought.kernels.a": "import numpy, xarray", "xdrought.models.b": "from dask import array"},
    own_trespass: {
        "xdrought.data.a": "from xdrought import events",
        "xdrought.kernels.b": "def f():\n  from xdrought.checks import require_dim",
        "xdrought.events": "",
        "xdrought.checks": "",
    },
    back_to_the_last: {
        "xdrought.events": "import xdrought.plot",
        "xdrought.windows": "from xdrought import Definition",
        "xdrought.plot": "",
        "xdrought": "",
    },
    out_of_reach: {
        "xdrought.causality": "import xdrought.between",
        "xdrought.between": "def f():\n  from xdrought.forecast import predict",
        "xdrought.forecast": "from xdrought.attribution import x",
        "xdrought.attribution": "",
    },
    cycles: {"xdrought.a": "import xdrought.b", "xdrought.b": "def f():\n  import xdrought.a"},
    heavy_at_once: {"xdrought.plot.a": "try:\n  import matplotlib.pyplot\nfinally: pass", "xdrought.b": "import torch"},
    rooms_at_once: {
        "xdrought.events": "import xdrought.kernels.a",
        "xdrought.accessor": "import xdrought.events",
        "xdrought.kernels.a": "import numba",
    },
    stars: {"xdrought.a": "from numpy import *", "xdrought.b": "from .c import *"},
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_rule_sees_trespasses(rule):
    assert len(rule({name: read_imports(source) for name, source in BROKEN[rule].items()})) >= 2


def test_imports_are_read_where_they_stand():
    source = """
import a, b.c
from d import e as f
if TYPE_CHECKING:
    import g
class C:
    import h
    def method(self):
        from .i import j
"""
    assert read_imports(source) == [
        Import("a", True),
        Import("b.c", True),
        Import("d.e", True),
        Import("g", True, typing_only=True),
        Import("h", True),
        Import(".i.j", False),
    ]


def test_the_walk_sees_the_whole_package():
    assert {"xdrought", "xdrought.accessor", "xdrought.kernels.events", "xdrought.models.zoo"} <= set(MODULES)
    assert "numba" in {i.name.split(".")[0] for i in IMPORTS["xdrought.kernels.events"]}


def loaded(code: str) -> set[str]:
    """First names of the modules that a fresh interpreter holds after running the code."""
    show = "import sys; print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", f"{code}\n{show}"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_import_is_light_and_registers_the_accessor():
    names = loaded("import xarray, xdrought\nassert xarray.Dataset().xdrought.ccm")
    assert {"xdrought", "xarray"} <= names
    assert names & LATE == set()


def test_no_module_outside_kernels_and_models_brings_a_heavy_package():
    light = [name for name in MODULES if room(name, FOREIGN) is None and not name.endswith("__main__")]
    names = loaded("import " + ", ".join(sorted(light)))
    assert names & LATE == set()
