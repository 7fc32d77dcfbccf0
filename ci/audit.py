"""Known vulnerabilities of what is installed here, asked of pip-audit's service; called by ci/audit.

    python ci/audit.py PIP_AUDIT [PACKAGE ...]

Exits with 0 when every package was audited and none is vulnerable, 1 when one is, 75 when the service did not answer
for some or all: then they were NOT checked, whatever else is said.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from importlib.metadata import distributions
from pathlib import Path

VULNERABLE, NOT_CHECKED = 1, 75  # EX_TEMPFAIL


def installed(only: list[str]) -> list[str]:
    """``name==version`` of the packages here; local parts (+cpu) are of no registry."""
    found = {d.metadata["Name"]: d.version.partition("+")[0] for d in distributions()}
    found.pop("xdrought", None)
    if missing := [name for name in only if name not in found]:
        sys.exit(f"audit: not installed here: {missing}; there are {sorted(found)}")
    return [f"{name}=={found[name]}" for name in sorted(only or found)]


def ask(pip_audit: str, lines: list[str]) -> dict | None:
    """pip-audit's answer, or None when there is none."""
    with tempfile.TemporaryDirectory() as folder:
        listed, answer = Path(folder) / "requirements.txt", Path(folder) / "answer.json"
        listed.write_text("\n".join(lines))
        options = ["--no-deps", "--disable-pip", "--progress-spinner", "off", "--format", "json", "--output", answer]
        done = subprocess.run(
            [pip_audit, *options, "--requirement", listed], capture_output=True, text=True, timeout=600
        )
        if not answer.is_file() or not answer.read_text().strip():
            print(done.stderr.strip()[-600:], file=sys.stderr)
            return None
        return json.loads(answer.read_text())


def report(answer: dict | None, n_asked: int) -> tuple[int, list[str]]:
    """Exit status and words."""
    if answer is None:
        return NOT_CHECKED, ["the service could not be reached: NOTHING was checked; run it where the network is open"]
    skipped = [one["name"] for one in answer["dependencies"] if "skip_reason" in one]
    bad = [
        (one["name"], one["version"], [v["id"] for v in one["vulns"]])
        for one in answer["dependencies"]
        if one.get("vulns")
    ]
    n = n_asked - len(skipped)
    words = [f"{n} of {n_asked} packages were checked, {len(bad)} have known vulnerabilities"]
    words += [f"{name} {version}: {', '.join(ids)}" for name, version, ids in bad]
    if skipped:
        words.append(f"NOT checked, the service does not know them: {', '.join(skipped)}")
    return VULNERABLE if bad else NOT_CHECKED if skipped else 0, words


if __name__ == "__main__":
    wanted = installed(sys.argv[2:])
    status, said = report(ask(sys.argv[1], wanted), len(wanted))
    print(*said, sep="\n")
    sys.exit(status)
