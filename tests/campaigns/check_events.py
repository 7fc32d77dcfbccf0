"""Are the events those of the slow reference, bit for bit? Random records until the number asked for is reached.

    python tests/campaigns/check_events.py [--series 100000] [--seed 0] [--out docs/_include/events_check.md]

Draws series with ties, sensor floors, exact hits of the thresholds, gaps and record ends, daily and in pentads, read by
random options and all three relapse readings, and compares every event and every daily class with the reference in
`tests/support/oracles.py` (fractions, one series at a time). Prints what was covered, writes it as a table to
--out, and ends with an error at a difference.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from tests.support.event_checks import differences, draw_records  # noqa: E402

ROWS = 200  # series that share a length and options


def as_markdown(tally: Counter, series: int, seed: int, seconds: float) -> str:
    """What was covered without a difference, for the documentation."""
    lines = [
        f"`python tests/campaigns/check_events.py --series {series} --seed {seed}` found no difference on "
        f"{tally['series']} random series ({seconds:.0f} s of CPU time): every onset, start, end, percentile, rate, "
        "flag and daily class is equal bit for bit.",
        "",
        "| covered | number |",
        "|---|---|",
        *(f"| {name} | {count} |" for name, count in tally.items() if name != "series"),
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    rng = np.random.default_rng(args.seed)
    tally: Counter = Counter()
    started = time.process_time()
    while tally["series"] < args.series:
        wrong = differences(draw_records(rng, min(ROWS, args.series - tally["series"])), tally)
        if wrong:
            print("\n".join(wrong))
            print(f"{len(wrong)} differences after {tally['series']} series", file=sys.stderr)
            return 1
        if tally["series"] % (50 * ROWS) == 0:
            print(f"{tally['series']} series, {tally['events']} events, no difference", flush=True)
    text = as_markdown(tally, args.series, args.seed, time.process_time() - started)
    print(text)
    if args.out:
        args.out.write_text(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
