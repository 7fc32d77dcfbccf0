"""Names and signatures of everything public, beside the stored list that a test compares them with.

    python ci/public_interface.py            what differs from the stored list; exits with 1 when something does
    python ci/public_interface.py --renew    write the list anew, and print what differs

Public is what docs/api.rst lists: functions, classes with their methods and properties, values by name. A signature is
the names of the parameters, how they are given, and their defaults; types may be told more exactly at any time. How an
object of the classes in RETURNED is made is not public: functions make them.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import inspect
import json
import re
import sys
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
STORED = ROOT / "tests" / "package" / "public_interface.json"
RETURNED = (
    "DroughtMonitor",
    "Forecaster",
    "OnsetModel",
    "Patches",
    "LeakageReport",
    "leakage.Finding",
    "XdroughtAccessor",
)


def names_on(page: str) -> list[str]:
    """Dotted names that an API page lists, in tables and as values."""
    tables = re.findall(r"^   ([A-Za-z_][\w.]*)$", page, re.MULTILINE)
    return tables + re.findall(r"^\.\. py:data:: ([\w.]+)$", page, re.MULTILINE)


def resolve(name: str) -> Any:
    """The object of a dotted name below the package; its rooms are imported on the way."""
    found: Any = importlib.import_module("xdrought")
    path = ["xdrought"]
    for part in name.split("."):
        path.append(part)
        if not hasattr(found, part):
            importlib.import_module(".".join(path))
        found = getattr(found, part)
    return found


def default_text(value: Any) -> str:
    """A default as text without addresses: functions and classes by their name, settings by that of their class."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return f"{type(value).__name__}(...)"
    return str(getattr(value, "__name__", None) or re.sub(r" at 0x[0-9a-f]+", "", repr(value)))


def signature_text(thing: Any) -> str:
    """Parameters of a callable with their kinds and defaults, without types: ``(x, *, dim='time', **kwargs)``."""
    parts: list[str] = []
    star = False
    for one in inspect.signature(thing).parameters.values():
        if one.kind is one.VAR_POSITIONAL:
            parts.append(f"*{one.name}")
            star = True
            continue
        if one.kind is one.VAR_KEYWORD:
            parts.append(f"**{one.name}")
            continue
        if one.kind is one.KEYWORD_ONLY and not star:
            parts.append("*")
            star = True
        text = one.name if one.default is one.empty else f"{one.name}={default_text(one.default)}"
        parts.append(f"/{text}" if one.kind is one.POSITIONAL_ONLY else text)
    return f"({', '.join(parts)})"


def members(cls: type) -> dict[str, str]:
    """Public methods and properties of a class that its own package defines."""
    found = {}
    for name, member in inspect.getmembers_static(cls):
        owner = next((base for base in cls.__mro__ if name in vars(base)), object)
        if name.startswith("_") or not owner.__module__.startswith("xdrought"):
            continue
        if isinstance(member, staticmethod | classmethod) or inspect.isfunction(member):
            found[name] = signature_text(getattr(cls, name))
        elif isinstance(member, property | cached_property):
            found[name] = "property"
    return found


def described(name: str, thing: Any) -> dict[str, str]:
    """Lines of the list for one public name."""
    if inspect.isclass(thing):
        own = {f"{name}.{member}": text for member, text in members(thing).items()}
        return {name: "class" if name in RETURNED else f"class{signature_text(thing)}", **own}
    if callable(thing):
        return {name: signature_text(thing)}
    if isinstance(thing, Mapping):
        return {name: f"mapping of {', '.join(map(str, thing))}"}
    if isinstance(thing, tuple | list):
        return {name: f"sequence of {', '.join(map(str, thing))}"}
    return {name: type(thing).__name__}


def interface() -> dict[str, str]:
    """Every public name with its signature, in alphabetical order."""
    found: dict[str, str] = {}
    for name in names_on((ROOT / "docs" / "api.rst").read_text()):
        found.update(described(name, resolve(name)))
    return dict(sorted(found.items()))


def differences(stored: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """What was removed, added and changed, a line each."""
    removed = [f"removed  {name}{stored[name]}" for name in sorted(stored.keys() - now.keys())]
    added = [f"added    {name}{now[name]}" for name in sorted(now.keys() - stored.keys())]
    both = sorted(stored.keys() & now.keys())
    changed = [
        f"changed  {name}\n  was    {stored[name]}\n  is now {now[name]}" for name in both if stored[name] != now[name]
    ]
    return removed + changed + added


def main() -> int:
    """Compare, or renew."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--renew", action="store_true", help="write the list anew")
    options = parser.parse_args()
    stored = json.loads(STORED.read_text()) if STORED.exists() else {}
    now = interface()
    found = differences(stored, now)
    print("\n".join(found) if found else f"{len(now)} public names, as stored")
    if options.renew:
        STORED.write_text(json.dumps(now, indent=1) + "\n")
        return 0
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
