"""The page of `suite.py`, from its stored figures."""

from __future__ import annotations

from claims import TOPICS

HEAD = """<!-- Written by ci/benchmarks/suite.py. -->
# Speed against other packages

`python ci/benchmarks/suite.py{flag}` measures what this page says and writes it; `--compare` measures again and says
which ratios left their spread; `--quick` takes small sizes. The peers come by
`pip install xclim marEx causal-ccm pyEDM kedm fastccm shap captum`, best in an environment of their own: they are
measured, and the package does without them (the licence of pyEDM is non-commercial). Those missing are named.

{size}Each topic is one process with one thread, in which our way and its peers take turns. **Times** is the median
CPU time of the peer over that of ours, in brackets the smallest and largest ratio of a round. The goals were set before
the work began, from figures of another day; those that were missed are left standing. Machines that other jobs share
move CPU times too: the load (runnable processes, one-minute mean) is said.
"""
SIZES = {
    "full": "",
    "quick": "These are the figures of `--quick`, of small sizes: ratios differ from those of the full sizes.\n\n",
}


def page(stored: dict) -> str:
    size = "full" if stored.get("full") else "quick"
    measured = stored[size]
    lines = [HEAD.format(flag="" if size == "full" else " --quick", size=SIZES[size])]
    for topic, (title, _) in TOPICS.items():
        if topic in measured:
            lines += section(topic, title, measured[topic])
    return "\n".join(lines)


def section(topic: str, title: str, found: dict) -> list[str]:
    used = ", ".join(f"{name} {number}" for name, number in found["versions"].items())
    before, after = found["load"]
    lines = [
        f"## {title}",
        "",
        f"More in {{doc}}`/benchmarks/{topic}`. Measured on {found['date']}, load {before} to {after}, "
        f"{found['rounds']} rounds, {found['cpu_seconds']} s of CPU; {found['machine']}; {used}.",
        "",
        "| work | peer | times | goal | met |",
        "|---|---|---:|---:|---|",
    ]
    absent: dict[str, str] = {}
    for work, row in found["rows"].items():
        for name, peer in row["peers"].items():
            span = f"**{number(peer['ratio'])}** ({number(peer['low'])} to {number(peer['high'])})"
            goal = "" if peer["goal"] is None else f"{peer['goal']:,}"
            lines.append(f"| {work} | {name} | {span} | {goal} | {met(peer)} |")
            work = ""
        absent |= row["absent"]
    if absent:
        named = ", ".join(f"{name} (`pip install {package}`)" for name, package in absent.items())
        lines += ["", f"Not installed here: {named}."]
    lines += ["", "What comes next: the steps of ours with their shares of its time, by clock and by profile.", ""]
    for work, row in found["rows"].items():
        parts = [f"{name} {part['ratio']:.0%}" for name, part in row["parts"].items()]
        parts += [f"`{line['function']}` {line['share']:.0%}" for line in row["profile"] if line["share"] >= 0.05]
        lines.append(f"- *{work}*: {row['next_step']} ({'; '.join(parts)}).")
    return [*lines, ""]


def number(ratio: float) -> str:
    return f"{ratio:,.0f}" if ratio >= 30 else f"{ratio:.1f}"


def met(peer: dict) -> str:
    if peer["goal"] is None:
        return ""
    if peer["ratio"] >= peer["goal"]:
        return "yes"
    return "no, within the spread" if peer["high"] >= peer["goal"] else "no"
