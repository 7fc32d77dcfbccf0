"""What terminals and notebooks show of a value: a title and a few facts on lines of at most 80 columns."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Mapping
from html import escape
from typing import Any

WIDTH = 80
_MOST_LINES = 2  # of one fact; the whole of it is an attribute of the value


def as_text(title: str, facts: Mapping[str, str], *, most_lines: int = _MOST_LINES) -> str:
    """A title in angle brackets, and below it each fact beside its name; what is too long is cut with an ellipsis."""
    beside = max(map(len, facts), default=0)
    lines = [cut(f"<{title}", WIDTH - 1) + ">"]
    for name, text in facts.items():
        start = f"  {name:<{beside}} "
        lines += textwrap.wrap(
            text,
            WIDTH,
            initial_indent=start,
            subsequent_indent=" " * len(start),
            max_lines=most_lines,
            placeholder=" …",
            break_on_hyphens=False,
        ) or [start.rstrip()]
    return "\n".join(lines)


def as_html(title: str, facts: Mapping[str, str], *, more: str = "") -> str:
    """The same as a small table with every fact whole; `more` is HTML that is already safe."""
    rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(text)}</td></tr>" for name, text in facts.items())
    return f"<div><b>{escape(title)}</b><table>{rows}</table>{more}</div>"


def cut(line: str, width: int = WIDTH) -> str:
    """A line of at most `width` columns."""
    return line if len(line) <= width else line[: width - 1] + "…"


def in_one_line(settings: Any) -> str:
    """The call that makes a dataclass, with every field; of labelled arrays their dimensions."""
    given = (f"{one.name}={_short(getattr(settings, one.name))}" for one in dataclasses.fields(settings))
    return f"{type(settings).__name__}({', '.join(given)})"


class ShownAsCall:
    """A frozen dataclass, decorated with ``repr=False``, that is shown as the call that makes it, on short lines."""

    def __repr__(self) -> str:
        lines = textwrap.wrap(
            in_one_line(self), WIDTH, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
        )
        return "\n".join(map(cut, lines))


def _short(value: Any) -> str:
    sizes = getattr(value, "sizes", None)
    if sizes is None:
        return repr(value)
    return f"<{type(value).__name__} {', '.join(f'{dim}: {size}' for dim, size in sizes.items())}>"
