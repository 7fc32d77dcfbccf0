"""Cures of messages, followed literally: what the text says is run, and the result goes on."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

import xdrought

STATEMENT = re.compile(r"\b(?:da|record|ds) = (?=[(\w])")


def ways_out(message: str) -> list[str]:
    """The parts of a message that offer a statement each, ``...; if this is so, da = ...; if that, da = ...``."""
    return [one for one in re.split(r"; (?=if |all values )", message.split("\nin ")[0]) if STATEMENT.search(one)]


def follow(message: str, way: int = 0, **names: Any) -> dict[str, Any]:
    """The names after the cure of a message: every ``name = ...`` in it, else its first call on ``da``.

    ``da`` is the array that the message is about, ``record`` the one that it is compared with. Of several ways out
    one is taken, the first by default.
    """
    scope = {"xarray": xr, "pandas": pd, "numpy": np, "xdrought": xdrought, "abs": abs} | names
    ways = ways_out(message)
    text = ways[way] if len(ways) > 1 else message.split("\nin ")[0]
    statements = [match.start() for match in STATEMENT.finditer(text)]
    for start in statements:
        exec(_up_to_its_end(text[start:]), scope)  # noqa: S102
    if not statements:
        found = re.search(r"(?<![\w.])(?:da|reference|first|second)\.\w+\(|xarray\.align\(|(?<=[ (])\.\w+\(", text)
        if found is None:
            raise AssertionError(f"the message names no call: {message}")
        call = _up_to_its_end(text[found.start() :])
        scope["da"] = eval(f"da{call}" if call.startswith(".") else call, scope)  # noqa: S307
    return scope


def _up_to_its_end(text: str) -> str:
    """The statement at the start of a text: to the bracket that closes its last call."""
    depth = 0
    for at, letter in enumerate(text):
        depth += (letter in "([{") - (letter in ")]}")
        if letter in ")]" and depth == 0 and not re.match(r"[.\[(]| [&|*] ", text[at + 1 :] or " "):
            return text[: at + 1]
        if depth < 0:
            return text[:at]
    return text
