"""Which test of causes survives weather that the drivers share? The errors and the power of `driver_gain`, measured.

    python docs/studies/driver_gain.py [--seeds 8001 8002 8003] [--only twin|twelve|null|towers] [--out docs/_include]

On the simulated twin the causes are known; on towers shifted by two years there is none; on towers as they are rain
must be found and air pressure should not. `ccm` with surrogates stands beside it, and PCMCI+ where tigramite is
installed. Every other way that was tried to find more at the same level of errors is a row. Writes
OUT/driver_gain_*.md.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable, Hashable
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import xarray as xr
from scipy.stats import rankdata

import xdrought
from xdrought.data import open_dataset
from xdrought.kernels import prediction_gain as kernel
from xdrought.kernels.surrogates import remove_annual_cycle
from xdrought.simulation.twin import simulate
from xdrought.statistics.bootstrap import draw, percentile_interval
from xdrought.statistics.hypothesis_tests import adjusted

ALPHA, DAYS, SITES, YEAR = 0.05, 2192, 10, 365.2425
NINE = ["t2m", "mx2t", "cape", "tp", "sp", "r", "z500", "ws10", "stl1"]
TWELVE = ["d2m", *NINE, "e", "swvl1"]
NOTHING = ["sp", "z500", "cape"]  # weather without a path to the soil
STRONG = 0.0005  # m3/m3; a weaker planted cause is neither counted as found nor as missed
TOWERS = {
    "fluxnet": ["P_F", "TA_F", "VPD_F", "SW_IN_F", "LE_F_MDS", "soil_temperature", "WS_F", "PA_F"],
    "uscrn": [
        "P_DAILY_CALC",
        "T_DAILY_MAX",
        "T_DAILY_MIN",
        "T_DAILY_AVG",
        "RH_DAILY_AVG",
        "SOLARAD_DAILY",
        "soil_temperature",
    ],
}
SHIFT = 731  # days
Answer = tuple[np.ndarray, np.ndarray]  # statistic and p-value of each driver of one site
Method = Callable[[np.ndarray, np.ndarray, list[str]], Answer]  # from drivers (driver, time), soil (time,), names
UNITS = {"stl1": "K", "soil_temperature": "degC"}
FREEZING = {"stl1": (273.15, 271.15), "soil_temperature": (0.0, -2.0)}


# methods


def labelled(x: np.ndarray, y: np.ndarray, names: list[str]) -> tuple[dict[Hashable, xr.DataArray], xr.DataArray]:
    days = xr.date_range("2002-01-01", periods=y.size)
    drivers: dict[Hashable, xr.DataArray] = {
        name: xr.DataArray(row, {"time": days}, attrs={"units": UNITS.get(name, "1")})
        for name, row in zip(names, x, strict=True)
    }
    return drivers, xr.DataArray(y, {"time": days})


def by_gain(x: np.ndarray, y: np.ndarray, names: list[str], *, groups: dict[str, list[str]] | None = None) -> Answer:
    """`xdrought.driver_gain` as it is; a group's answer is that of each of its members."""
    result = xdrought.driver_gain(*labelled(x, y, names), fdr=None, groups=groups)
    test_of = {member: name for name, members in (groups or {}).items() for member in members}
    tests = [test_of.get(name, name) for name in names]
    return result.gain.sel(variable=tests).values, result.p_value.sel(variable=tests).values


def by_cross_mapping(x: np.ndarray, y: np.ndarray, names: list[str], *, surrogates: int = 199) -> Answer:
    """`xdrought.ccm` of each driver from the soil's manifold, against phase surrogates."""
    result = xdrought.ccm(*labelled(x, y, names), direction="cause_to_effect", surrogates=surrogates)
    return result.rho.values, result.surrogate_p_value.values


def by_conditional_cross_mapping(x: np.ndarray, y: np.ndarray, names: list[str]) -> Answer:
    """The same, of what is left of a driver's anomaly when the other drivers of its day are taken out."""
    years = np.arange(y.size) / YEAR
    anomalies = remove_annual_cycle(x, years)
    left = np.full(x.shape, np.nan)
    known = np.isfinite(anomalies).all(axis=0)
    for j in range(len(x)):
        others = np.delete(anomalies, j, axis=0)[:, known].T
        mine = anomalies[j, known]
        left[j, known] = mine - others @ np.linalg.lstsq(others, mine, rcond=None)[0]
    return by_cross_mapping(left, y, [f"left of {name}" for name in names])  # no longer in kelvin


def by_pcmci(x: np.ndarray, y: np.ndarray, names: list[str]) -> Answer:
    """PCMCI+ with linear partial correlation on anomalies, lags 0 to 5; a driver's p is the smallest of its lags."""
    from tigramite import data_processing
    from tigramite.independence_tests.parcorr import ParCorr
    from tigramite.pcmci import PCMCI

    years = np.arange(y.size) / YEAR
    series = remove_annual_cycle(np.vstack([x, y]), years).T
    frame = data_processing.DataFrame(np.where(np.isfinite(series), series, 999.0), missing_flag=999.0)
    result = PCMCI(frame, ParCorr(), verbosity=0).run_pcmciplus(tau_max=5, pc_alpha=0.01)
    into = result["p_matrix"][:-1, -1]
    kept = np.isin(result["graph"][:-1, -1], ["-->", "o-o", "x-x"])
    size = np.abs(result["val_matrix"][:-1, -1])
    return np.where(kept, size, 0.0).max(axis=1), np.where(kept, into, 1.0).min(axis=1)


# ways that were tried, from the parts of the kernel


def first_columns(lagged: np.ndarray, state: np.ndarray, cycle: np.ndarray) -> np.ndarray:
    """One driver: each lag alone and times the wetness, and only the mean of lags 0 to 2 by season."""
    mean = lagged[:3].mean(axis=0)
    return np.hstack([lagged.T, (lagged * state).T, mean[:, None] * kernel.first_wave(cycle)])


def columns_with_squares(lagged: np.ndarray, state: np.ndarray, cycle: np.ndarray) -> np.ndarray:
    """One driver: the default's columns, and squares of lags 0, 1 and of the mean of lags 0 to 2."""
    squares = np.stack([lagged[0], lagged[1], lagged[:3].mean(axis=0)]).T ** 2
    return np.hstack([kernel.driver_columns(lagged, state, cycle), squares - squares.mean(axis=0)])


def by_parts(
    x: np.ndarray,
    y: np.ndarray,
    names: list[str],
    *,
    build: kernel.Builder = kernel.driver_columns,
    ridge: float = 0.1,
    ranked: bool = True,
    block_days: int = kernel.BLOCK_DAYS,
    frost: bool = True,
    adapted: tuple[float, float] = kernel.ADAPTED,
    local: bool = False,
    encompassing: float = 0.0,
) -> Answer:
    """The gain with other columns, another ridge, another test.

    `adapted`: the range of the factor of a driver's ridge, (1, 1) for the same on all. `local`: days are weighted by
    the size of the errors of days with like predictions. `encompassing`: this share of the squared difference of both
    predictions is added to the gain (Clark and West 2007: 1).
    """
    days = np.arange(y.size, dtype=float)
    freezing = tuple((j, *FREEZING[name]) for j, name in enumerate(names) if frost and name in FREEZING)
    usable = kernel.usable_days(x, y, None, days / YEAR, days, kernel.GainSettings(freezing=freezing))
    columns = kernel.columns_of(usable, build)
    penalty = columns.penalty(ridge)
    change, table = usable.change, columns.table
    if local:
        scale = _local_scale(change, table, penalty)
        change, columns = change / scale, kernel.Columns(table / scale[:, None], columns.owner)
    groups = [[int(j)] for j in np.flatnonzero(usable.used)]
    with_all, without = kernel.fold_predictions(change, columns, groups, penalty, 10, adapted)
    loss, losses = kernel.nested_losses(change, with_all, without)
    gains = losses - loss
    gain = gains.sum(axis=1) / losses.sum(axis=1)
    gains += encompassing * (with_all - without) ** 2 / 2
    blocks = ((days[usable.day] - days[usable.day[0]]) // block_days).astype(int)
    sums = kernel.block_sums(gains, blocks)
    scores = rankdata(np.abs(sums), axis=1) * np.sign(sums) if ranked else sums
    signs = 2.0 * np.random.default_rng(0).integers(0, 2, (999, sums.shape[1])) - 1.0
    p = (1 + (scores @ signs.T >= scores.sum(axis=1, keepdims=True)).sum(axis=1)) / 1000
    p = np.where(gain > 0, p, 1.0)
    answer = np.full((2, len(x)), np.nan)
    answer[:, usable.used] = gain, p
    return answer[0], answer[1]


def _local_scale(change: np.ndarray, table: np.ndarray, penalty: np.ndarray) -> np.ndarray:
    """Size of the errors (n,) in ten classes of the predicted change, over its median."""
    predicted = table @ np.linalg.solve(table.T @ table + np.diag(penalty * change.size), table.T @ change)
    classes = (rankdata(predicted, method="ordinal") - 1) * 10 // change.size
    size = np.array([np.median(np.abs(change - predicted)[classes == k]) for k in range(10)])
    return (size / np.median(size)).clip(0.1)[classes.astype(int)]


TEMPERATURE = {"temperature": ["t2m", "mx2t"]}
METHODS: dict[str, Method] = {
    "`ccm`, phase surrogates": by_cross_mapping,
    "**`driver_gain`**": by_gain,
}
SAME = (1.0, 1.0)
WAYS: dict[str, Method] = {
    "`t2m` and `mx2t` as one group": partial(by_gain, groups=TEMPERATURE),
    "the same ridge on all drivers": partial(by_parts, adapted=SAME),
    "no columns for frost": partial(by_parts, frost=False),
    "season on one mean of lags": partial(by_parts, build=first_columns),
    "sums of blocks in place of signed ranks": partial(by_parts, ranked=False),
    "none of these four, ridge 0.03, blocks of 30 days": partial(
        by_parts, build=first_columns, ridge=0.03, ranked=False, frost=False, block_days=30, adapted=SAME
    ),
    "blocks of 30 days": partial(by_parts, block_days=30),
    "ridge 0.03": partial(by_parts, ridge=0.03),
    "squares of the drivers": partial(by_parts, build=columns_with_squares),
    "days weighted by the error of like days": partial(by_parts, local=True),
    "a tenth of the encompassing term": partial(by_parts, encompassing=0.1),
    "conditional cross mapping": by_conditional_cross_mapping,
}


# data


@cache
def world(seed: int, names: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Drivers (site, driver, time), soil moisture (site, time) and planted strengths (site, driver) of ten towers."""
    ds = simulate(SITES, DAYS, size=2, seed=seed).mean(["patch_lat", "patch_lon"])
    names_list = list(names)
    return (
        ds[names_list].to_array().transpose("site", "variable", "time").values.astype(float),
        ds["soil_moisture"].transpose("site", "time").values.astype(float),
        ds["truth_strength"].sel(variable=names_list).transpose("site", "variable").values,
    )


@cache
def towers(network: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """Drivers and soil moisture of each tower with a year of it, from its first to its last day."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # files without soil moisture
        ds = open_dataset(network)
    sites = []
    for number in range(ds.sizes["site"]):
        known = np.flatnonzero(np.isfinite(ds["soil_moisture"].values[number]))
        if known.size >= 365:
            span = ds.isel(site=number, time=slice(known[0], known[-1] + 1))
            sites.append((np.stack([span[name].values for name in TOWERS[network]]), span["soil_moisture"].values))
    return sites


def answers(
    method: Method, sites: list[tuple[np.ndarray, np.ndarray]], names: list[str]
) -> tuple[np.ndarray, np.ndarray, float]:
    """Statistics and p-values (site, driver), and the seconds a site takes."""
    begin = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = [method(x, y, names) for x, y in sites]
    return (
        np.array([one[0] for one in found]),
        np.array([one[1] for one in found]),
        (time.process_time() - begin) / len(sites),
    )


# tables


def twin_answers(method: Method, seeds: list[int], names: list[str]) -> tuple[np.ndarray, ...]:
    """Statistics, p-values, p-values adjusted within a world, strengths, all (site, driver), and seconds a site."""
    rows = []
    for seed in seeds:
        x, y, strength = world(seed, tuple(names))
        statistic, p, seconds = answers(method, list(zip(x, y, strict=True)), names)
        rows.append((statistic, p, adjusted(p.ravel(), "bh").reshape(p.shape), strength, np.array([seconds])))
    return tuple(np.concatenate(parts) for parts in zip(*rows, strict=True))


def ranking(statistic: np.ndarray, strength: np.ndarray) -> float:
    """AUC: how often a cause of a site ranks above a variable of the site that is none."""
    wins = []
    for row, truth in zip(statistic, strength, strict=True):
        causes, others = row[truth > STRONG], row[truth == 0]
        if causes.size and others.size:
            wins.append(np.mean((causes[:, None] > others) + 0.5 * (causes[:, None] == others)))
    return float(np.mean(wins))


def twin_row(name: str, method: Method, seeds: list[int]) -> str:
    statistic, p, p_adjusted, strength, seconds = twin_answers(method, seeds, NINE)
    cause, nothing = strength > STRONG, strength == 0
    called = p_adjusted < ALPHA
    wrong, right = (called & nothing).sum(), (called & cause).sum()

    def found(*variables: str) -> str:
        here = cause & np.isin(NINE, variables)
        return f"{called[here].mean():.2f}"

    cells = [
        f"{(p < ALPHA)[nothing].mean():.3f}",
        f"{called[nothing].mean():.3f}",
        f"{wrong / max(wrong + right, 1):.2f}",
        f"{(p < ALPHA)[cause].mean():.2f}",
        f"{called[cause].mean():.2f}",
        found("tp"),
        found("t2m", "mx2t"),
        found("r"),
        found("ws10"),
        found("stl1"),
        f"{ranking(statistic, strength):.2f}",
        f"{seconds.mean():.2f}",
    ]
    print(name, cells, flush=True)
    return f"| {name} | " + " | ".join(cells) + " |"


TWIN_HEAD = [
    "| method | wrong | wrong, adjusted | of all called | found | found, adjusted | rain | temperature | humidity "
    "| wind | soil temperature | AUC | s a site |",
    "|---|" + "---:|" * 12,
]


def twin_table(seeds: list[int]) -> list[str]:
    peer = {"PCMCI+ (tigramite)": by_pcmci} if find_spec("tigramite") else {}
    return [*TWIN_HEAD, *(twin_row(name, method, seeds) for name, method in {**METHODS, **WAYS, **peer}.items())]


def interval_table(seeds: list[int], n_boot: int = 1000) -> list[str]:
    """The main numbers of both methods with 95 % intervals over the towers of all worlds, drawn anew."""
    lines = ["| method | wrong | wrong, adjusted | found, adjusted | AUC |", "|---|---|---|---|---|"]
    for name, method in METHODS.items():
        statistic, p, p_adjusted, strength, _ = twin_answers(method, seeds, NINE)

        def numbers(rows: np.ndarray, of: tuple[np.ndarray, ...] = (statistic, p, p_adjusted, strength)) -> np.ndarray:
            found, raw, adjusted_p, planted = (each[rows] for each in of)
            nothing = planted == 0
            wrong = [(each[nothing] < ALPHA).mean() for each in (raw, adjusted_p)]
            return np.array([*wrong, (adjusted_p[planted > STRONG] < ALPHA).mean(), ranking(found, planted)])

        n = len(statistic)
        drawn = draw(n, (n_boot, n), np.random.default_rng(0))
        ends = percentile_interval(np.stack([numbers(rows) for rows in drawn], axis=-1), 0.95)
        rows = zip(numbers(np.arange(n)), *ends, (3, 3, 2, 2), strict=True)
        cells = [f"{value:.{k}f} [{low:.{k}f}, {high:.{k}f}]" for value, low, high, k in rows]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
        print(lines[-1], flush=True)
    return lines


def twelve_table(seeds: list[int]) -> list[str]:
    """All twelve drivers: the redundant one and the responses are called, what does nothing is not."""
    rows = [
        "| method | sp, z500, cape called | d2m called | e, swvl1 called | causes found | AUC |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, method in METHODS.items():
        statistic, _, p_adjusted, strength, _ = twin_answers(method, seeds, TWELVE)
        called = p_adjusted < ALPHA

        def share(*variables: str, called: np.ndarray = called, strength: np.ndarray = strength) -> str:
            here = (strength == 0) & np.isin(TWELVE, variables)
            return f"{called[here].sum()} of {here.sum()}"

        cells = [share(*NOTHING), share("d2m"), share("e", "swvl1"), f"{called[strength > STRONG].mean():.2f}"]
        rows.append(f"| {name} | " + " | ".join([*cells, f"{ranking(statistic, strength):.2f}"]) + " |")
        print(rows[-1], flush=True)
    return rows


def null_table(seeds: list[int]) -> list[str]:
    """Weather of one tower of the twin against the soil of another: 540 pairs of no relation."""
    sites = []
    for shift in (1, 2):
        for seed, other in zip(seeds, np.roll(seeds, 1), strict=True):
            x, y = world(seed, tuple(NINE))[0], world(int(other), tuple(NINE))[1]
            sites += list(zip(x, np.roll(y, shift, axis=0), strict=True))
    rows = ["| method | pairs | below 0.05 | adjusted |", "|---|---:|---:|---:|"]
    for name, method in METHODS.items():
        _, p, _ = answers(method, sites, NINE)
        wrong = (adjusted(p.ravel(), "bh") < ALPHA).sum()
        rows.append(f"| {name} | {p.size} | {(p < ALPHA).mean():.3f} | {wrong} |")
        print(rows[-1], flush=True)
    return rows


def towers_table() -> list[str]:
    """At how many towers each driver is called, after adjustment, and on drivers shifted by two years."""
    lines = []
    for network, names in TOWERS.items():
        sites = towers(network)
        head = [*(name.lower().replace("_", " ") for name in names), "shifted: below 0.05", "shifted, adjusted"]
        lines += ["", f"| {network.upper()}, {len(sites)} sites | " + " | ".join(head) + " |"]
        lines.append("|---|" + "---:|" * len(head))
        for name, method in METHODS.items():
            _, p, _ = answers(method, sites, names)
            shifted = [(np.roll(x, SHIFT, axis=1), y) for x, y in sites if y.size >= 3 * 365]
            _, null, _ = answers(method, shifted, names)
            called = adjusted(p.ravel(), "bh").reshape(p.shape) < ALPHA
            wrong = (adjusted(null.ravel(), "bh") < ALPHA).sum()
            tested = np.isfinite(null)
            cells = [
                *map(str, called.sum(axis=0)),
                f"{(null[tested] < ALPHA).mean():.3f} of {tested.sum()}",
                str(wrong),
            ]
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
            print(lines[-1], flush=True)
    return lines[1:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[8001, 8002, 8003])
    parser.add_argument("--only", choices=["twin", "intervals", "twelve", "null", "towers"])
    parser.add_argument("--out", type=Path, default=Path("docs/_include"))
    options = parser.parse_args()
    tables: dict[str, Callable[[], list[str]]] = {
        "twin": partial(twin_table, options.seeds),
        "intervals": partial(interval_table, options.seeds),
        "null": partial(null_table, options.seeds),
        "twelve": partial(twelve_table, options.seeds),
        "towers": towers_table,
    }
    for name, make in tables.items():
        if options.only in (None, name):
            lines = make()
            (options.out / f"driver_gain_{name}.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
