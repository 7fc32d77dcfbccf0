"""The `raise` statements of the package: which there are, a counter before each of them, and their messages.

Each module of xdrought gets the counter as it is imported: nothing else is slower. Functions that numba compiles
are not counted, nor what happens in other processes: those that tests reach there are named in `ELSEWHERE`.
`tests/support/count_raises.py` counts while pytest runs. Nothing here may import xdrought.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable
from functools import cache
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "xdrought"
REACHED: set[tuple[str, int]] = set()
# Reached in a process of its own: the file, words of the message, and the test.
ELSEWHERE = {
    ("xdrought/devices.py", "needs torch, which is not installed"): "tests/package/test_without_torch.py",
}


@cache
def raises_in(source: str) -> tuple[int, ...]:
    """First line of every `raise` that is not inside a function compiled by numba."""
    if "raise" not in source:
        return ()
    nodes = ast.walk(without_compiled(ast.parse(source)))
    return tuple(sorted(node.lineno for node in nodes if isinstance(node, ast.Raise)))


def without_compiled(tree: ast.Module) -> ast.Module:
    """A module without the functions that numba compiles."""

    class Drop(ast.NodeTransformer):
        def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST | None:
            return None if is_compiled(node) else self.generic_visit(node)

    return Drop().visit(tree)


def is_compiled(node: ast.FunctionDef) -> bool:
    return any("jit" in ast.unparse(one) or "vectorize" in ast.unparse(one) for one in node.decorator_list)


class Count(ast.NodeTransformer):
    """Puts a call before each `raise`, on its line."""

    def __init__(self, name: str):
        self.name = name

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return node if is_compiled(node) else self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> list[ast.stmt]:
        call = ast.parse(f"__import__('sys')._xdrought_raise({self.name!r}, {node.lineno})").body[0]
        for one in ast.walk(call):
            if isinstance(one, ast.expr | ast.stmt):
                ast.copy_location(one, node)
                one.end_lineno = node.lineno
        return [call, node]


class CountingLoader(SourceFileLoader):
    """Loads a module with the counter; its lines stay where they are, so that compiled kernels are found again."""

    def source_to_code(self, data: bytes, path: str, **options: object) -> CodeType:  # type: ignore[override]
        tree: ast.AST | bytes = data
        if b"raise" in data:
            tree = Count(Path(path).relative_to(ROOT).as_posix()).visit(ast.parse(data))
        return compile(tree, path, "exec", dont_inherit=True)  # type: ignore[arg-type]

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


def total() -> int:
    return sum(len(raises_in(path.read_text(encoding="utf-8"))) for path in PACKAGE.rglob("*.py"))


def missed(reached: Iterable[tuple[str, int]]) -> list[tuple[str, int, str]]:
    """File, line and text of every `raise` that was not reached."""
    reached = {tuple(one) for one in reached}
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        name, source = path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")
        lines = source.splitlines()
        found += [
            (name, at, " ".join(one.strip() for one in lines[at - 1 : at + 1]))
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
                found.append((path.relative_to(ROOT).as_posix(), line, " ... ".join(parts)))
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
