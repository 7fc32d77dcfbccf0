"""Expected gradients against shap's GradientExplainer: equality, noise, speed, completeness, memory, planted strengths.

    python ci/benchmarks/attribution.py [--only noise] [--repeats 8] [--out docs/benchmarks/attribution.md]

Each section is of one run, with one thread, in process CPU time; the two ways take turns. The network that noise is
measured on is trained on the simulated twin, because a fresh network is nearly linear.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from scipy.stats import spearmanr
from shap import GradientExplainer

import xdrought
from xdrought.attribution.explained_windows import background_windows, windows_of
from xdrought.attribution.shap_reference import _as_column, shap_gradients
from xdrought.models import build
from xdrought.models.expected_gradients import (
    Draws,
    NetworkInputs,
    balanced_draws,
    bytes_per_point,
    expected_gradients,
    frozen,
    outputs,
)
from xdrought.simulation.twin import respond, simulate

SUMMED = (1, 3, 4)  # input days and cells
N_WINDOWS, N_BACKGROUND = 6, 50
LIMIT = 256 * 2**20
HEAD = """# Speed: attributions

`python ci/benchmarks/attribution.py`; each section is one run, one thread, process CPU time; {machine}, torch {torch},
shap {shap}, Python {python}. The machine is shared with other jobs, so only ratios mean something. No GPU was there.
"""
EQUAL = """## Equal to shap

On shap's own draws the largest difference is {gap:.1e}, the largest attribution {largest:.2g} (scaled units; {n}
windows x 15 days x 12 drivers x 4 x 4 cells, and 96 numbers of causality).
"""
NOISE = """## Noise and speed

ResAttCauRec of widths 8 and 16, trained on the twin (6 sites, patches of 4 x 4); {n} windows of the test part, {b} of
the training part as background, {repeats} repeats. Error: root mean square of the drivers' attributions against every
background at {positions} positions, over their own root mean square. Completeness error: the same of their sum against
f(x) - mean f(background). Faster: CPU time at equal error (error squared taken to fall as one over draws), shap = 1.

| way | draws | ms per draw | error | completeness error | faster at equal noise |
|---|---:|---:|---:|---:|---:|"""
ROW = "| {way} | {draws} | {ms:.2f} | {error:.1%} | {completeness:.2%} | {faster:.1f} |"
SIZE = """
At the published size (839,961 parameters, 10 x 10 cells), one window and 100 draws: shap {shap:.1f} ms a draw, own
engine {own:.1f} ms; ratio {ratio:.2f}, before the smaller noise.
"""
MEMORY = """## Memory

Published size, 2 windows, 200 draws, a process for each limit: what the peak rises by.

| memory_limit, MiB | points at a time | added at the peak, MiB |
|---:|---:|---:|"""
STRENGTHS = """
## Planted strengths

Twin of 24 sites, 7 years, without sensor error; two small networks (Rec) learn the change of soil moisture of a day,
their attributions are averaged.
Strength: standard deviation of the change of soil moisture when a driver's departures from its annual cycle are taken
away, by `respond`. Rank correlation with the mean absolute attribution over the seven drivers ({drivers}; the last two
do nothing).

| planted coefficients | drivers made independent | as simulated |
|---|---:|---:|"""
END = """| median | {0:.2f} | {1:.2f} |

Two drivers tie at zero, so 0.99 is the most there can be. With 6 sites and one network the weak drivers fall among
those that do nothing (0.99, 0.59, 0.67, 0.86, median 0.77): that is the network's own noise. In the world as
simulated the drivers share their weather,
and the network may use one in place of another."""
POSITIONS = 100
PLANTED = ("tp", "t2m", "mx2t", "r", "ws10")
DRIVERS = (*PLANTED, "sp", "z500")
WORLDS = (
    {"t2m": 0.96, "mx2t": 0.12, "r": 0.24, "ws10": 0.48},
    {"t2m": 0.24, "mx2t": 0.48, "r": 0.96, "ws10": 0.12},
    {"t2m": 0.12, "mx2t": 0.96, "r": 0.48, "ws10": 0.24},
    {"t2m": 0.48, "mx2t": 0.24, "r": 0.12, "ws10": 0.96},
)


def trained(n_sites: int = 6, epochs: int = 6) -> tuple[torch.nn.Module, NetworkInputs, NetworkInputs]:
    """A network trained on the twin, windows of its test part, and background of its training part."""
    ds = simulate(n_sites, 1096, size=4, seed=3)
    forecaster = xdrought.fit_resattcaurec(
        ds,
        "soil_moisture",
        widths=(8, 16),
        epochs=epochs,
        batch_size=64,
        learning_rate=2e-3,
        device="cpu",
        progress=False,
    )
    every = windows_of(ds, forecaster, None, "time")
    test = forecaster.splits.windows(every.windows, "test")
    chosen = np.sort(np.random.default_rng(0).choice(test, N_WINDOWS, replace=False))
    background = background_windows(every.windows, forecaster, N_BACKGROUND, 0)
    return frozen(forecaster.network()), every.sample(chosen, "cpu"), every.sample(background, "cpu")


def independent_draws(rng: np.random.Generator, n: int, n_background: int, n_draws: int) -> Draws:
    background, position = rng.integers(n_background, size=(n, n_draws)), rng.random((n, n_draws), "float32")
    return Draws(torch.from_numpy(background), torch.from_numpy(position))


def same_draws(network: torch.nn.Module, inputs: NetworkInputs, background: NetworkInputs) -> tuple[float, float]:
    """Largest difference from shap on its own draws, and the largest attribution."""
    explainer = GradientExplainer(_as_column(network), [background.x, background.causality])
    theirs = explainer.shap_values([inputs.x, inputs.causality], nsamples=100, rseed=1)
    state = np.random.RandomState(1)
    pairs = np.array(
        [[(state.choice(len(background)), state.uniform()) for _ in range(100)] for _ in range(len(inputs))]
    )
    draws = Draws(torch.from_numpy(pairs[..., 0].astype(int)), torch.from_numpy(pairs[..., 1].astype("float32")))
    ours = expected_gradients(network, inputs, background, draws, at_once=100, known_ends=False)
    gaps = [
        np.abs(mine.numpy() - his[..., 0]).max() for mine, his in zip((ours.x, ours.causality), theirs, strict=True)
    ]
    return float(max(gaps)), float(max(np.abs(his).max() for his in theirs))


def ways(network: torch.nn.Module, inputs: NetworkInputs, background: NetworkInputs, n_draws: int) -> dict:
    """What is compared, as functions of a seed."""
    keys, n = np.arange(len(inputs)), len(background)
    at_once = max(1, LIMIT // bytes_per_point(network, background))

    def own(draws: Draws, known_ends: bool):
        return expected_gradients(
            network, inputs, background, draws, reduce=SUMMED, at_once=at_once, known_ends=known_ends
        )

    return {
        "shap": lambda seed: shap_gradients(network, inputs, background, keys, SUMMED, n_draws, seed, at_once),
        "own engine, independent draws": lambda seed: own(
            independent_draws(np.random.default_rng(seed), len(keys), n, n_draws), False
        ),
        "+ balanced and stratified": lambda seed: own(balanced_draws(keys.tolist(), n, n_draws, seed), False),
        "+ known ends (the default)": lambda seed: own(balanced_draws(keys.tolist(), n, n_draws, seed), True),
    }


def vector(found) -> np.ndarray:
    return np.concatenate([found.x.numpy(), found.causality.numpy().sum(1, keepdims=True)], axis=1)


def compare(network, inputs, background, n_draws: int, repeats: int, exact: np.ndarray) -> list[dict]:
    """CPU time, error and completeness of each way."""
    above = (outputs(network, inputs) - outputs(network, background).mean()).numpy()
    seconds, errors, gaps = {}, {}, {}
    for seed in range(repeats):
        for name, way in ways(network, inputs, background, n_draws).items():
            begin = time.process_time()
            found = vector(way(seed))
            seconds.setdefault(name, []).append(time.process_time() - begin)
            errors.setdefault(name, []).append(((found - exact) ** 2).mean())
            gaps.setdefault(name, []).append(((found.sum(1) - above) ** 2).mean())
    cost = {name: np.median(seconds[name]) * np.mean(errors[name]) for name in seconds}
    return [
        {
            "way": name,
            "draws": n_draws,
            "ms": 1000 * np.median(seconds[name]) / n_draws / len(inputs),
            "error": np.sqrt(np.mean(errors[name]) / (exact**2).mean()),
            "completeness": np.sqrt(np.mean(gaps[name]) / (above**2).mean()),
            "faster": cost["shap"] / cost[name],
        }
        for name in seconds
    ]


def exact_values(network, inputs, background, n_positions: int = POSITIONS) -> np.ndarray:
    """Every background at a fine grid of positions."""
    n = len(background)
    position = ((torch.arange(n_positions) + 0.5) / n_positions).repeat_interleave(n)
    draws = Draws(torch.arange(n).repeat(len(inputs), n_positions), position.repeat(len(inputs), 1))
    return vector(expected_gradients(network, inputs, background, draws, reduce=SUMMED, at_once=400))


def published_ways(n_draws: int = 100) -> dict[str, Callable[[int], object]]:
    """Both ways to explain one window at the published size, as functions of a seed."""
    torch.manual_seed(0)
    network = frozen(build("ResAttCauRec"))
    window, background = (NetworkInputs(torch.randn(n, 15, 12, 10, 10), torch.rand(n, 96)) for n in (1, N_BACKGROUND))
    at_once = max(1, LIMIT // bytes_per_point(network, background))

    def own(seed: int) -> object:
        draws = balanced_draws([0], N_BACKGROUND, n_draws, seed)
        return expected_gradients(network, window, background, draws, reduce=SUMMED, at_once=at_once)

    keys = np.array([0])
    return {
        "shap": lambda seed: shap_gradients(network, window, background, keys, SUMMED, n_draws, seed, 50),
        "own": own,
    }


def published_size(n_draws: int = 100) -> dict[str, float]:
    """ms per draw of one window at the published size."""
    ways = published_ways(n_draws)
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for seed in range(3):
        for name, way in ways.items():
            begin = time.process_time()
            way(seed)
            seconds[name].append(time.process_time() - begin)
    return {name: 1000 * float(np.median(each)) / n_draws for name, each in seconds.items()}


def annual_cycle(da: xr.DataArray) -> xr.DataArray:
    """Mean and two harmonics of the year."""
    turn = 2 * np.pi * da.time.dt.dayofyear.values[:, None] * np.array([1.0, 2.0]) / 365.25
    design = np.concatenate([np.ones_like(turn[:, :1]), np.cos(turn), np.sin(turn)], axis=1)
    first = da.transpose("time", ...)
    flat = first.values.reshape(len(design), -1).astype("float64")
    fitted = design @ np.linalg.lstsq(design, flat, rcond=None)[0]
    return first.copy(data=fitted.reshape(first.shape)).transpose(*da.dims)


def planted_ranks(
    world: dict[str, float],
    seed: int,
    independent: bool,
    *,
    n_sites: int = 24,
    epochs: int = 20,
    runs: int = 2,
    **options,
) -> tuple[xr.DataArray, np.ndarray, float]:
    """Importance and planted strength of each driver, and their rank correlation.

    The network learns the change of soil moisture from one day to the next under departures from the annual cycle.
    `independent` gives each driver other years, so that none stands in for another.
    """
    lags = dict.fromkeys(PLANTED, 1)
    strengths = {**world, "stl1": 0, "tp": 0.5}
    ds = simulate(n_sites, 2557, size=2, seed=seed, drivers=(*DRIVERS, "stl1"), noise=0, strengths=strengths, lags=lags)
    if independent:
        ds = ds.assign({name: ds[name].roll(time=365 * years) for years, name in enumerate(DRIVERS)})
    soil = respond(ds).soil_moisture
    cycles = {name: annual_cycle(ds[name]) for name in DRIVERS}
    departures = xr.Dataset(
        {name: (ds[name] - cycles[name]).astype("float32").assign_attrs(ds[name].attrs) for name in DRIVERS}
    ).assign(soil_moisture=soil.assign_attrs(units="m3 m-3"))
    options = {"batch_size": 256, "learning_rate": 3e-3} | options
    with xdrought.set_options(check_limits=False):  # departures from the annual cycle have no physical limits
        forecaster = xdrought.fit_resattcaurec(
            departures,
            "soil_moisture",
            DRIVERS,
            variant="Rec",
            widths=(16,),
            window=3,
            lead=1,
            target_history=True,
            predict_change=True,
            epochs=epochs,
            runs=runs,
            device="cpu",
            progress=False,
            **options,
        )
        where = ds.time.isin(ds.time[2200:2500:11])
        shares = xdrought.attributions(departures, forecaster, where=where, n_draws=100, progress=False)
    shares = shares.attribution.sel(variable=list(DRIVERS))
    importance = abs(shares.mean("run") if runs > 1 else shares).mean(["site", "time"])
    strength = np.zeros(len(DRIVERS))
    for k, name in enumerate(PLANTED):
        calm = cycles[name].clip(min=0) if name == "tp" else cycles[name]
        without = respond(ds.assign({name: calm.assign_attrs(ds[name].attrs)})).soil_moisture
        strength[k] = float((without - soil).std("time").mean())
    return importance, strength, float(spearmanr(importance, strength)[0])


def peak_memory(limit: int) -> dict[str, float]:
    """MiB that explaining two windows at the published size adds to the process."""
    torch.set_num_threads(1)
    network = frozen(build("ResAttCauRec"))
    window, background = (NetworkInputs(torch.randn(n, 15, 12, 10, 10), torch.rand(n, 96)) for n in (2, N_BACKGROUND))
    point = bytes_per_point(network, background)
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    before = _status("VmRSS")
    draws = balanced_draws([0, 1], N_BACKGROUND, 200, 0)
    at_once = max(1, limit // point)
    expected_gradients(network, window, background, draws, reduce=SUMMED, at_once=at_once)
    return {"limit": limit / 2**20, "at once": at_once, "added": (_status("VmHWM") - before) / 1024}


def _status(name: str) -> int:
    """KiB of this process, on Linux."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


def memory_rows() -> list[dict]:
    """Each limit in a process of its own."""
    rows = []
    for limit in (64, 256, 1024):
        command = [sys.executable, __file__, "--memory", str(limit * 2**20)]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        rows.append(json.loads(text.splitlines()[-1]))
    return rows


def noise_section(repeats: int) -> list[str]:
    network, inputs, background = trained()
    gap, largest = same_draws(network, inputs, background)
    said = [EQUAL.format(gap=gap, largest=largest, n=N_WINDOWS)]
    exact = exact_values(network, inputs, background)
    said.append(NOISE.format(n=N_WINDOWS, b=N_BACKGROUND, repeats=repeats, positions=POSITIONS))
    for n_draws in (100, 200):
        said += [ROW.format(**row) for row in compare(network, inputs, background, n_draws, repeats, exact)]
    speed = published_size()
    return [*said, SIZE.format(**speed, ratio=speed["shap"] / speed["own"])]


def memory_section(repeats: int) -> list[str]:
    return [MEMORY, *(f"| {row['limit']:.0f} | {row['at once']} | {row['added']:.0f} |" for row in memory_rows())]


def strengths_section(repeats: int) -> list[str]:
    said, found = [STRENGTHS.format(drivers=", ".join(DRIVERS))], []
    for seed, world in enumerate(WORLDS):
        pair = [planted_ranks(world, 10 + seed, independent)[2] for independent in (True, False)]
        found.append(pair)
        said.append(f"| {', '.join(f'{k} {v}' for k, v in world.items())} | {pair[0]:.2f} | {pair[1]:.2f} |")
    return [*said, END.format(*np.median(found, axis=0))]


SECTIONS = {"noise": noise_section, "memory": memory_section, "strengths": strengths_section}


def sections(page: str) -> dict[str, str]:
    """The sections of an earlier page."""
    edges = [page.index(title) for title in ("## Equal", "## Memory", "## Planted")]
    return {name: page[a:b] for name, a, b in zip(SECTIONS, edges, [*edges[1:], None], strict=True)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=8)
    parser.add_argument("--out", type=Path, default=Path("docs/benchmarks/attribution.md"))
    parser.add_argument("--only", choices=list(SECTIONS), help="measure one section anew")
    parser.add_argument("--memory", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.memory:
        print(json.dumps(peak_memory(args.memory)))
        return

    names = [args.only] if args.only else list(SECTIONS)
    measured = {name: "\n".join(SECTIONS[name](args.repeats)) for name in names}
    print("\n".join(measured.values()))
    if args.only:
        measured = sections(args.out.read_text()) | measured
    machine = f"{platform.machine()} with {os.cpu_count()} cores"
    head = HEAD.format(machine=machine, torch=version("torch"), shap=version("shap"), python=platform.python_version())
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text("\n".join([head, *(measured[name].strip() + "\n" for name in SECTIONS)]))


if __name__ == "__main__":
    main()
