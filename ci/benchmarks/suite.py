"""Every speed claim of the docs beside its peers, in one command.

    python ci/benchmarks/suite.py                    measure all, store the figures, write the page
    python ci/benchmarks/suite.py --only ccm         measure one topic anew; the others stay as they are stored
    python ci/benchmarks/suite.py --compare          measure again, store nothing, say which ratios left their spread
    python ci/benchmarks/suite.py --page             write the page from the stored figures
    ... --quick                                      small sizes, less than two minutes of CPU, figures of their own

Each topic (`claims.py`) is a process of its own with one thread, in which our way and its peers take turns. Compared is
process CPU time: ratios of medians, and the smallest and largest ratio of a round. Peers that are not installed are
named. Real series are used where XDROUGHT_DATA_DIR is set. --compare ends with 1 when a ratio fell below its spread.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "NUMBAGG_NUM_THREADS"), "1"
)
VERSIONS = (
    *("numpy", "scipy", "numba", "xarray", "dask", "torch"),
    *("xclim", "pandas", "marEx", "causal-ccm", "pyEDM", "kedm", "fastccm", "xbatcher", "shap", "captum"),
)
DOCS = Path(__file__).parents[2] / "docs" / "benchmarks"


def measure_topic(topic: str, quick: bool, rounds: int) -> dict:
    """The rows of a topic, in this process."""
    import torch
    from claims import TOPICS
    from interleaved import together

    torch.set_num_threads(1)
    before, begun = os.getloadavg()[0], time.process_time()
    rows = together(TOPICS[topic][1](quick), rounds)
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "load": [round(load, 1) for load in (before, os.getloadavg()[0])],
        "rounds": rounds,
        "cpu_seconds": round(time.process_time() - begun),
        "machine": machine(),
        "versions": versions(),
        "rows": rows,
    }


def in_child(topic: str, quick: bool, rounds: int) -> dict:
    command = [sys.executable, "-W", "ignore", __file__, "--topic", topic, "--rounds", str(rounds)]
    command += ["--quick"] if quick else []
    done = subprocess.run(command, env=os.environ | ONE_THREAD, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"suite: {topic} ended with {done.returncode}")
    return json.loads(done.stdout.splitlines()[-1])


def machine() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        model = platform.processor() or platform.machine()
    return f"{model}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"


def versions() -> dict[str, str]:
    found = {}
    for name in VERSIONS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def say(topic: str, found: dict) -> None:
    for work, row in found["rows"].items():
        print(f"{topic}: {work}: {1000 * row['seconds']:.3g}")
        for name, peer in row["peers"].items():
            print(f"    {peer['ratio']:9.1f} ({peer['low']:.1f} to {peer['high']:.1f})  {name}")
        for name, install in row["absent"].items():
            print(f"    not installed here: pip install {install}  ({name})")
        for line in row["profile"]:
            print(f"      {line['share']:.0%} {line['function']}")


def compare(topic: str, stored: dict, found: dict) -> int:
    """Print each ratio beside the stored spread; how many fell below it."""
    fallen = 0
    for work, row in found["rows"].items():
        print(f"{topic}: {work}")
        for name, peer in row["peers"].items():
            was = stored.get("rows", {}).get(work, {}).get("peers", {}).get(name)
            if was is None:
                print(f"    {peer['ratio']:9.1f}  no stored figure        {name}")
                continue
            side = "SLOWER" if peer["ratio"] < was["low"] else "faster" if peer["ratio"] > was["high"] else "holds"
            fallen += side == "SLOWER"
            print(f"    {peer['ratio']:9.1f}  {side:6} {was['low']:.1f} to {was['high']:.1f}  {name}")
    return fallen


def main() -> None:
    from claims import TOPICS

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(TOPICS), default=list(TOPICS), metavar="TOPIC")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--compare", action="store_true")
    parser.add_argument("--page", action="store_true")
    parser.add_argument("--rounds", type=int, help="of each topic (5; quick: 3)")
    parser.add_argument("--out", type=Path, default=DOCS, help="folder of suite.json and suite.md")
    parser.add_argument("--topic", help=argparse.SUPPRESS)
    options = parser.parse_args()
    rounds = options.rounds or (3 if options.quick else 5)
    if options.topic:
        print(json.dumps(measure_topic(options.topic, options.quick, rounds)))
        return
    size, path = "quick" if options.quick else "full", options.out / "suite.json"
    stored = json.loads(path.read_text()) if path.exists() else {}
    fallen = 0
    for topic in [] if options.page else options.only:
        found = in_child(topic, options.quick, rounds)
        if options.compare:
            fallen += compare(topic, stored.get(size, {}).get(topic, {}), found)
            continue
        say(topic, found)
        stored.setdefault(size, {})[topic] = found
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(stored, indent=1) + "\n")
    if options.compare:
        print(f"{fallen} ratios fell below their stored spread")
        sys.exit(int(fallen > 0))
    from suite_page import page

    (options.out / "suite.md").write_text(page(stored))


if __name__ == "__main__":
    main()
