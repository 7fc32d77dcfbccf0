"""Every kind of output, held against the CF conventions by a checker of others.

    python -m venv checker && checker/bin/pip install compliance-checker
    python tests/campaigns/cf_checker.py checker/bin/compliance-checker

Writes each output of `tests/package/test_provenance.py` as a file, prints what the IOOS compliance checker says of it
by CF 1.11, and exits with 1 at an error. Its recommendations are printed and count for nothing.
"""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

import xdrought  # noqa: E402
from tests.package import test_provenance  # noqa: E402


def main() -> None:
    checker = sys.argv[1] if len(sys.argv) > 1 else "compliance-checker"
    soil, outputs = (inspect.unwrap(fixture) for fixture in (test_provenance.soil, test_provenance.outputs))
    warnings.simplefilter("ignore")
    n_errors = 0
    with tempfile.TemporaryDirectory() as folder:
        for kind, output in outputs(soil()).items():
            path = Path(folder) / f"{kind.replace(' ', '_')}.nc"
            xdrought.cf_dataset(output).to_netcdf(path, engine="h5netcdf")
            found = checked(checker, path)
            errors, advice = (
                [text for one in found[level] for text in one["msgs"]]
                for level in ("high_priorities", "medium_priorities")
            )
            n_errors += len(errors)
            print(f"{kind}: {len(errors)} errors, {len(advice)} recommendations", *errors, sep="\n  ", flush=True)
    sys.exit(n_errors > 0)


def checked(checker: str, path: Path) -> dict[str, Any]:
    """What the checker says of a file."""
    report = path.with_suffix(".json")
    command = [checker, "--test=cf:1.11", "--format=json", f"--output={report}", str(path)]
    subprocess.run(command, capture_output=True, check=False)
    return json.loads(report.read_text())["cf:1.11"]


if __name__ == "__main__":
    main()
