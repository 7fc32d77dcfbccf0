"""Which `raise` of the package does no test reach? Runs pytest with a counter before each of them.

    python ci/raises_reached.py                      # all tests
    python ci/raises_reached.py --add tests/test_x.py  # further tests, added to what was reached before
    python ci/raises_reached.py --expecting            # only the tests that expect an error, by their source
    python ci/raises_reached.py --by-words             # runs no test: messages whose words stand in no test (2 s)

Each module of xdrought gets the counter as it is imported: nothing else is slower. Functions that numba compiles
are not counted, nor what happens in other processes: those that tests reach there are named in `ELSEWHERE`. Exits
with 1 when another `raise` was not reached. `bash ci/raises` makes the environment and runs all tests.
"""

from __future__ import annotations

import ast
import atexit
import inspect
import json
import re
import signal
import sys
import tempfile
from collections.abc import Iterable
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType
from typing import Any

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "xdrought"
STORE = Path(tempfile.gettempdir()) / "xdrought-raises.json"
REACHED: set[tuple[str, int]] = set()
# Reached in a process of its own: the file, words of the message, and the test.
ELSEWHERE = {
    ("xdrought/devices.py", "needs torch, which is not installed"): "tests/package/test_without_torch.py",
}


def raises_in(source: str) -> list[int]:
    """First line of every `raise` that is not inside a function compiled by numba."""
    return sorted(node.lineno for node in ast.walk(without_compiled(ast.parse(source))) if isinstance(node, ast.Raise))


def without_compiled(tree: ast.Module) -> ast.Module:
    """A module without the functions that numba compiles."""

    class Drop(ast.NodeTransformer):
        def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST | None:
            return None if is_compiled(node) else self.generic_visit(node)

    return Drop().visit(tree)


def is_compiled(node: ast.FunctionDef) -> bool:
    return any("jit" in ast.unparse(one) or "vectorize" in ast.unparse(one) for one in node.decorator_list)


class Count(ast.NodeTransformer):
    """Puts a call before each `raise`."""

    def __init__(self, name: str):
        self.name = name

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return node if is_compiled(node) else self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> list[ast.stmt]:
        call = ast.parse(f"__import__('sys')._xdrought_raise({self.name!r}, {node.lineno})").body[0]
        return [ast.fix_missing_locations(ast.copy_location(call, node)), node]


class CountingLoader(SourceFileLoader):
    def source_to_code(self, data: bytes, path: str, **options: object) -> CodeType:  # type: ignore[override]
        tree = Count(str(Path(path).relative_to(ROOT))).visit(ast.parse(data))
        for node in ast.walk(tree):  # one line for each inserted call, that of its raise
            if isinstance(node, ast.Expr) and "_xdrought_raise" in ast.dump(node):
                for child in ast.walk(node):
                    if hasattr(child, "lineno"):
                        child.lineno = child.end_lineno = node.lineno
        return compile(tree, path, "exec", dont_inherit=True)

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)  # never the cached bytecode


class Finder(MetaPathFinder):
    def find_spec(self, name: str, path: object, target: object = None) -> ModuleSpec | None:
        if name != "xdrought" and not name.startswith("xdrought."):
            return None
        spec = PathFinder.find_spec(name, [str(ROOT)] if path is None else path)  # type: ignore[arg-type]
        if spec is not None and spec.origin and spec.origin.endswith(".py"):
            spec.loader = CountingLoader(name, spec.origin)
        return spec


def install() -> None:
    """Count from here on, in this process."""
    sys._xdrought_raise = lambda name, line: REACHED.add((name, line))  # type: ignore[attr-defined]
    sys.meta_path.insert(0, Finder())


class OnlyExpecting:
    """Leaves the tests in whose source an error is expected."""

    @staticmethod
    def pytest_collection_modifyitems(items: list) -> None:
        items[:] = [one for one in items if expects_an_error(one)]


def expects_an_error(item: Any) -> bool:
    function = getattr(item, "function", None)
    return function is not None and bool(re.search("raises|refuse|error", inspect.getsource(function)))


def missed(reached: Iterable[tuple[str, int]]) -> list[tuple[str, int, str]]:
    """File, line and text of every `raise` that was not reached."""
    reached = set(reached)
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        name, source = str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")
        lines = source.splitlines()
        found += [
            (name, at, " ".join(lines[at - 1 : at + 1]).strip())
            for at in raises_in(source)
            if (name, at) not in reached and not reached_elsewhere(name, " ".join(lines[at - 1 : at + 3]))
        ]
    return found


def reached_elsewhere(name: str, text: str) -> bool:
    return any(name == file and words in text for file, words in ELSEWHERE)


def unexpected() -> list[tuple[str, int, str]]:
    """File, line and words of every message of which no text of the tests holds a few letters in a row.

    A message that is made elsewhere, and one without words of its own, is not looked at.
    """
    texts = {
        re.sub(r"\\(.)", r"\1", node.value)
        for path in (ROOT / "tests").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "\n" not in node.value
    }
    told = "\n".join(sorted(texts))
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        for line, parts in messages_in(path.read_text(encoding="utf-8")):
            rows = [part[at : at + _IN_A_ROW] for part in parts for at in range(len(part) - _IN_A_ROW + 1)]
            if rows and not any(row in told for row in rows):
                found.append((str(path.relative_to(ROOT)), line, " ... ".join(parts)))
    return found


_IN_A_ROW = 12  # letters of a message that tell it from others


def messages_in(source: str) -> list[tuple[int, list[str]]]:
    """Line of each `raise` and the constant parts of what it says."""
    return [
        (node.lineno, [one.value for one in ast.walk(node.exc.args[0]) if is_text(one)])
        for node in ast.walk(without_compiled(ast.parse(source)))
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args
    ]


def is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def main(arguments: list[str]) -> int:
    if "--by-words" in arguments:
        left = unexpected()
        for name, line, text in left:
            print(f"  {name}:{line}: {text[:110]}")
        print(f"{len(left)} messages of which no test holds a word")
        return int(bool(left))
    import pytest

    add = "--add" in arguments
    before = {tuple(one) for one in json.loads(STORE.read_text())} if add and STORE.is_file() else set()
    atexit.register(lambda: STORE.write_text(json.dumps(sorted(REACHED | before))))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was reached so far is kept
    install()
    plugins = [OnlyExpecting()] if "--expecting" in arguments else []
    failed = pytest.main(["-q", *(one for one in arguments if one not in ("--add", "--expecting"))], plugins)
    left = missed(REACHED | before)
    total = sum(len(raises_in(path.read_text(encoding="utf-8"))) for path in PACKAGE.rglob("*.py"))
    print(f"{total - len(left)} of {total} raise statements reached; not reached:" if left else f"all {total} reached")
    for name, line, text in left:
        print(f"  {name}:{line}: {text[:110]}")
    return int(bool(left) or failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
