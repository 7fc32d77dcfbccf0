"""Two or more ways to do the same work, timed in turns in one process: ratios, and how far they spread."""

from __future__ import annotations

import cProfile
import pstats
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

Way = Callable[[int], float]
"""The CPU seconds that the work costs in a round of this number, set-up left out."""


@dataclass(frozen=True)
class Peer:
    """Another program for the same work.

    `make` sets it up; it is called only where the module `needs` can be imported, and `install` is what pip calls it.
    `goal` is how many times as long as ours it was hoped to take.
    """

    name: str
    make: Callable[[], Way]
    needs: str = ""
    install: str = ""
    goal: float | None = None

    def is_here(self) -> bool:
        return not self.needs or find_spec(self.needs) is not None


@dataclass(frozen=True)
class Row:
    """One claim of the docs: our way and its peers.

    `parts` are steps of ours, or floors that it cannot go below, timed in the same rounds; `next_step` says in words
    what would have to become faster next.
    """

    work: str
    ours: Way
    peers: tuple[Peer, ...]
    next_step: str
    parts: tuple[tuple[str, Way], ...] = ()
    warm: bool = True  # a round that does not count: compilers and caches


def timed(work: Callable[[], object], times: float = 1.0, at_least: float = 0.05) -> Way:
    """CPU seconds of one call, `times` as many; quick calls are repeated until the clock can see them."""

    def way(round_number: int) -> float:
        calls, begun = 0, time.process_time()
        while True:
            work()
            calls += 1
            spent = time.process_time() - begun
            if spent >= at_least:
                return times * spent / calls

    return way


def measure(row: Row, rounds: int) -> dict:
    """Seconds of each way in each round, as ratios to ours; the order turns round from one round to the next."""
    here = [peer for peer in row.peers if peer.is_here()]
    ways = {"": row.ours} | {peer.name: peer.make() for peer in here} | dict(row.parts)
    spent: dict[str, list[float]] = {name: [] for name in ways}
    for k in range(-1 if row.warm else 0, rounds):
        for name in list(ways)[:: -1 if k % 2 else 1]:
            seconds = ways[name](max(k, 0))
            if k >= 0:
                spent[name].append(seconds)
    ours = spent.pop("")
    return {
        "seconds": statistics.median(ours),
        "peers": {peer.name: ratio(spent[peer.name], ours) | {"goal": peer.goal} for peer in here},
        "parts": {name: ratio(spent[name], ours) for name, _ in row.parts},
        "absent": {peer.name: peer.install for peer in row.peers if not peer.is_here()},
        "profile": profile(lambda: row.ours(0)),
        "next_step": row.next_step,
    }


def ratio(theirs: list[float], ours: list[float]) -> dict[str, float]:
    """Ratio of the medians; smallest and largest ratio of a round."""
    each = [their / our for their, our in zip(theirs, ours, strict=True)]
    return {"ratio": statistics.median(theirs) / statistics.median(ours), "low": min(each), "high": max(each)}


def profile(work: Callable[[], object], most: int = 3) -> list[dict]:
    """The Python functions that take the largest shares of the time themselves; compiled code counts for its caller."""
    profiler = cProfile.Profile()
    profiler.runcall(work)
    stats = pstats.Stats(profiler).stats  # type: ignore[attr-defined]
    own = {where: numbers[2] for where, numbers in stats.items() if "process_time" not in where[2]}
    own = {where: spent for where, spent in own.items() if Path(where[0]) != Path(__file__)}
    largest = sorted(own, key=own.__getitem__, reverse=True)[:most]
    return [{"share": own[where] / sum(own.values()), "function": spoken(*where)} for where in largest]


def spoken(path: str, line: int, name: str) -> str:
    """A function of a profile by file and name; built-in ones have no file."""
    return name.strip("<>") if path == "~" else f"{Path(path).stem}.{name}"


def together(rows: Iterable[Row], rounds: int) -> dict[str, dict]:
    return {row.work: measure(row, rounds) for row in rows}
