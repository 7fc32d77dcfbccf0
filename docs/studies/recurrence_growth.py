"""How the cell state grows under the paper's rule and under that of the released code.

    python docs/studies/recurrence_growth.py

Writes ``docs/_include/recurrence_growth.md``: the mean absolute cell state of the first layer of the untrained network
of the published size, by day of the window, and the share of units whose tanh is saturated.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

import xdrought
from xdrought.models import build
from xdrought.models.resattcaurec import STEPS

DAYS, SAMPLES, SEEDS, SATURATED = (1, 5, 10, 15), 256, 10, 0.99
RULES = {
    "paper, Eq. 6: c = F (c + c0) + I g": "paper",
    "released code: u = F c + I g, c = c + u": "released",
    "plain LSTM: c = F c + I g": "plain",
}


def states(rule: str, seed: int) -> np.ndarray:
    """Cell state of the first layer, (day, sample, unit), for standard normal codes and CCM-like causality."""
    torch.manual_seed(seed)
    recurrence = build("ResAttCauRec", equations="released" if rule == "released" else "paper").recurrence
    cell, step = recurrence.cells[0], STEPS["released" if rule == "released" else "paper"]
    rho, p = torch.rand(SAMPLES, 48) * 0.6, torch.rand(SAMPLES, 48) * 0.05
    c0 = recurrence.initial[0](torch.cat([rho, p], 1)) * (rule != "plain")
    h, c, found = torch.zeros_like(c0), c0, []
    for _ in range(max(DAYS)):
        h, c = step(cell, torch.randn(SAMPLES, cell.input_size), h, c, c0)
        found.append(c.numpy())
    return np.stack(found)


def table() -> str:
    """What the rules give, as a table of the page."""
    days = " | ".join(f"day {day}" for day in DAYS)
    lines = [f"| rule | {days} | units with \\|tanh c\\| > 0.99 on the last day |"]
    lines.append("|---|" + "---:|" * (len(DAYS) + 1))
    with torch.no_grad():
        for name, rule in RULES.items():
            c = np.stack([states(rule, seed) for seed in range(SEEDS)])
            means = [np.abs(c[:, day - 1]).mean() for day in DAYS]
            full = (np.abs(np.tanh(c[:, -1])) > SATURATED).mean()
            lines.append(f"| {name} | " + " | ".join(f"{mean:.2f}" for mean in means) + f" | {full:.0%} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    text = table() + (
        f"\nMean absolute cell state, first layer, untrained, {SEEDS} seeds of {SAMPLES} windows. xdrought "
        f"{xdrought.__version__}, torch {torch.__version__}; command: `python docs/studies/recurrence_growth.py`\n"
    )
    (Path(__file__).parents[2] / "docs" / "_include" / "recurrence_growth.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
