"""Campaigns: broken files, kills, full disks, data in every dress. Writes docs/_include/reliability_*.md.

    python tests/campaigns/reliability.py            # a few minutes
    python tests/campaigns/reliability.py --scale 10 # ten times as many of everything
    python tests/campaigns/reliability.py files      # one campaign: files, writes or data

The same harness as the tests, with larger numbers. Exits with 1 when anything was lost, crashed or differed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.package import test_fuzz, test_interrupted  # noqa: E402
from tests.support import variations  # noqa: E402
from tests.support.interruptions import fill_the_disk, kill_while_writing, limits_below  # noqa: E402
from tests.support.mutations import attack  # noqa: E402

PAGES = ROOT / "docs" / "_include"


@contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        yield Path(name)


def broken_files(n: int) -> Iterator[tuple[str, int, int]]:
    """Row, inputs, and how many ended as they should not."""
    for make in test_fuzz.READERS:
        with folder() as here:
            reader = make(here)
            times = max(20, n // 10) if reader.compiled else n
            found, bad = attack(reader, here, times, seed=1)
        others = "; ".join(f"{text[:80]} ({k})" for text, k in found.items() if text not in ("read", "refused"))
        yield (
            f"| {reader.name} | {times} | {found['refused']} | {found['read']} | {others or 'none'} |",
            times,
            len(bad),
        )


def faults(n: int) -> Iterator[tuple[str, int, int]]:
    for make in test_interrupted.WRITERS:
        with folder() as here:
            writer = make(here)
            killed = kill_while_writing(writer, n, seed=1, longest=0.6)
            writer.write(1)
            limits = limits_below(writer.path.stat().st_size, n, seed=1)
            full = list(fill_the_disk(writer, limits))
        left = Counter(state for *_, state in full)
        crashed = sum(ended == "crashed" for _, ended, _ in full)
        name = make.__name__.replace("_", " ")
        lost = killed["half"] + left["half"] + sum(ended == "wrote" for _, ended, _ in full)
        yield (
            (
                f"| {name} | {n} | {killed['old']} old, {killed['new']} new | {len(full)} | {left['old']} old"
                f"{f', {crashed} crashes of HDF5' * bool(crashed)} | {lost} |"
            ),
            n + len(full),
            lost,
        )


def dresses(n: int) -> Iterator[tuple[str, int, int]]:
    rng = np.random.default_rng(1)
    for name, case in variations.CASES.items():
        failed = 0
        for _ in range(n):
            dress = variations.Dress(
                order=tuple(rng.permutation(["time", "lat", "lon"]).tolist()),
                chunk=int(rng.integers(1, 5)),
                single=bool(rng.integers(2)),
                calendar=str(rng.choice(variations.CALENDARS)),
                gaps=str(rng.choice(variations.GAPS)),
                seed=int(rng.integers(2**16)),
                grid=bool(rng.integers(2)),
            )
            try:
                variations.check(case, dress)
            except AssertionError as error:
                failed += 1
                print(name, dress, str(error)[:300], file=sys.stderr)
        yield f"| {name} | {n} | {failed} |", n, failed


CAMPAIGNS = {
    "files": (
        broken_files,
        1000,
        ["reader", "files", "refused in words", "read all the same", "anything else"],
        "Whole files with one to three changes: bits flipped, pieces lost, doubled, moved or replaced, ends cut off.",
    ),
    "writes": (
        faults,
        20,
        ["writer", "kills", "found after", "full disks", "found after", "lost"],
        "SIGKILL at a random moment, and a limit on the size of files that strikes like a full disk.",
    ),
    "data": (
        dresses,
        20,
        ["function", "data sets", "changed or different"],
        "Sites and grids, order of dimensions, chunks, float32 and float64, five calendars, five kinds of gaps: the "
        "input is unchanged, nothing is computed early, and the result is the same.",
    ),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("campaigns", nargs="*", default=list(CAMPAIGNS), help=f"some of {list(CAMPAIGNS)}")
    parser.add_argument("--scale", type=float, default=1.0)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    wrong = 0
    for name in options.campaigns:
        campaign, n, header, words = CAMPAIGNS[name]
        found = []
        for one in campaign(max(1, round(n * options.scale))):
            print(one[0], flush=True)
            found.append(one)
        lost = sum(bad for *_, bad in found)
        first = f"{words} **{sum(inputs for _, inputs, _ in found):,} tried, {lost} ended as they should not.**"
        table = [f"| {' | '.join(header)} |", "|---" * len(header) + "|", *(row for row, *_ in found)]
        (PAGES / f"reliability_{name}.md").write_text("\n".join([first, "", *table]) + "\n")
        wrong += lost
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
