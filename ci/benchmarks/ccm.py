"""Cross mapping against its peers, in one run: one map, the paper's workload, convergence, surrogates, growth, start.

    XDROUGHT_DATA_DIR=... python ci/benchmarks/ccm.py [--rounds 5] [--sites 156] [--out docs/benchmarks]

Needs the FLUXNET2015 daily files of DE-Geb. Peers (causal-ccm, pyEDM, kedm, fastccm) are measured where they are
installed. Every library is held to one thread; times are process CPU time, so that a shared machine blurs them little.
Writes ccm.md and ccm_growth.png. About ten minutes.
"""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_name] = "1"  # before anything that reads it is imported

import argparse  # noqa: E402
import platform  # noqa: E402
import resource  # noqa: E402
import statistics  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable  # noqa: E402
from importlib.metadata import PackageNotFoundError, version  # noqa: E402
from pathlib import Path  # noqa: E402

import ccm_peers as peers  # noqa: E402
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import torch  # noqa: E402
import xarray as xr  # noqa: E402

from xdrought.causality import ccm
from xdrought.causality.cross_mapping import cross_map_by_torch
from xdrought.kernels import cross_map
from xdrought.kernels.cross_map import Settings

LENGTHS, DIMS, LENGTH, PAIRS = (500, 1000, 1660, 2400, 5000), (2, 5), 1660, 24
GROWTH = (500, 1000, 2000, 4000, 8000, 16000, 32000, 64000)
DRIVERS = (
    *("TA_F", "SW_IN_F", "LW_IN_F", "VPD_F", "PA_F", "P_F"),
    *("WS_F", "CO2_F_MDS", "TS_F_MDS_1", "G_F_MDS", "H_F_MDS", "LE_F_MDS"),
)
SIZES = tuple(np.linspace(166, 1659, 10).astype(int).tolist())
COMPILED = Settings(compiled=True)


def cpu(work: Callable[[], object], rounds: int) -> float:
    """Median process CPU time in ms, after one round that doesn't count."""
    work()
    times = []
    for _ in range(rounds):
        start = time.process_time_ns()
        work()
        times.append((time.process_time_ns() - start) / 1e6)
    return statistics.median(times)


def read_tower(folder: Path) -> dict[str, np.ndarray]:
    """Soil moisture and twelve drivers of DE-Geb; gaps bridged, and 1e-6 of noise so that ties cannot blur."""
    table = pd.read_csv(next(folder.glob("fluxnet2015/FLX_DE-Geb_*_DD_*.csv")), na_values=[-9999])
    rng = np.random.default_rng(0)
    series = {}
    for name in ("SWC_F_MDS_1", *DRIVERS):
        x = table[name].interpolate().bfill().to_numpy(float)
        series[name] = x + 1e-6 * x.std() * rng.standard_normal(x.size)
    return series


def make_sites(series: dict[str, np.ndarray], n_sites: int) -> tuple[xr.Dataset, xr.DataArray]:
    """The paper's shape: sites x 12 drivers x 4 cells, each site another stretch, each cell a noisy copy."""
    rng, dates = np.random.default_rng(1), pd.date_range("2001-01-01", periods=LENGTH)
    starts = rng.integers(0, series["TA_F"].size - LENGTH, n_sites)
    causes = {}
    for name in DRIVERS:
        cut = np.stack([series[name][start : start + LENGTH] for start in starts])[:, None, :]
        noise = 0.05 * cut.std(axis=-1, keepdims=True) * rng.standard_normal((n_sites, 4, LENGTH))
        causes[name] = (("site", "cell", "time"), cut + noise)
    soil = np.stack([series["SWC_F_MDS_1"][start : start + LENGTH] for start in starts])
    coords = {"time": dates}
    return xr.Dataset(causes, coords), xr.DataArray(soil, coords, ("site", "time"), name="soil_moisture")


def one_maps(series: dict[str, np.ndarray], rounds: int) -> tuple[pd.DataFrame, float]:
    """ms of one map (soil moisture's manifold to air temperature) by length and E; worst difference from pyEDM."""
    rows, worst = [], 0.0
    for length in LENGTHS:
        for dim in DIMS:
            y, x = series["SWC_F_MDS_1"][:length], series["TA_F"][:length]
            plain, fast = (Settings(dim=dim, compiled=flag) for flag in (False, True))
            row = {
                "L": length,
                "E": dim,
                "xdrought": cpu(lambda y=y, x=x, s=fast: cross_map.cross_map(y, x[None], s, 0), 4 * rounds),
                "xdrought, scipy tree": cpu(lambda y=y, x=x, s=plain: cross_map.cross_map(y, x[None], s, 0), rounds),
                "xdrought, torch": cpu(lambda y=y, x=x, s=fast: cross_map_by_torch(y, x[None], s, 0), 1),
            }
            ours = cross_map.cross_map(y, x[None], fast, 0).rho[0]
            for name, peer in peers.ONE_MAP.items():
                if peers.has(name):
                    row[name] = cpu(lambda y=y, x=x, p=peer, d=dim: p(y, x, d), min(rounds, 3))
                    row[name] /= 2 if name == "pyEDM" else 1  # it computes both directions
                    if name in ("pyEDM", "causal-ccm"):
                        worst = max(worst, abs(peer(y, x, dim) - ours))
            rows.append(row)
            print(row, flush=True)
    return pd.DataFrame(rows), worst


def workload(series: dict[str, np.ndarray], n_sites: int, rounds: int, dims: tuple[int, ...] = DIMS) -> pd.DataFrame:
    """ms of one site: 48 series x 2 directions, L = 1660; a quarter of the sites for the larger E."""
    rows = []
    for dim in dims:
        n_here = n_sites if dim == DIMS[0] else max(n_sites // 4, 1)
        causes, soil = make_sites(series, n_here)
        total = cpu(lambda c=causes, s=soil, d=dim: ccm(c, s, embedding_dim=d), min(rounds, 3))
        one_way = cpu(
            lambda c=causes, s=soil, d=dim: ccm(c, s, embedding_dim=d, direction="cause_to_effect"), min(rounds, 3)
        )
        row = {
            "E": dim,
            "sites": n_here,
            "all sites, s": total / 1e3,
            "xdrought": total / n_here,
            "xdrought, one direction": one_way / n_here,
        }
        cells = np.concatenate([causes[name].to_numpy()[0] for name in DRIVERS])
        y = soil.to_numpy()[0]
        ours = ccm(causes.isel(site=0), soil.isel(site=0), embedding_dim=dim).rho
        ours = ours.transpose("direction", "variable", "cell").to_numpy().reshape(2, -1)
        for name, peer in peers.SITE.items():
            if peers.has(name):
                row[name] = cpu(lambda p=peer, y=y, c=cells, d=dim: p(y, c, d), min(rounds, 3))
                row[name] *= 24 if name == "causal-ccm" else 1  # four maps of 96
                found = peer(y, cells, dim)
                if found is not None:
                    row[f"{name}, error"] = float(np.abs(found - ours).max())
        rows.append(row)
        print(row, flush=True)
    return pd.DataFrame(rows)


def draws(series: dict[str, np.ndarray], rounds: int) -> dict[str, float]:
    """ms of convergence (both directions) and of a test against 1000 surrogates (one direction), one pair, E = 2."""
    dates = pd.date_range("2001-01-01", periods=LENGTH)
    y, x = (xr.DataArray(series[n][:LENGTH], {"time": dates}, ("time",), name=n) for n in ("SWC_F_MDS_1", "TA_F"))
    raw_y, raw_x = y.to_numpy(), x.to_numpy()
    noise = xr.DataArray(np.random.default_rng(2).standard_normal((PAIRS, LENGTH)), dims=("site", "time"))
    many_y, many_x = y + 0.05 * float(y.std()) * noise, x + 0.05 * float(x.std()) * noise
    tested = Settings(surrogates=1000, years=np.arange(LENGTH) / 365.2425, compiled=True)
    found = {
        "convergence, with labels": cpu(lambda: ccm(x, y, library_size=SIZES, library_samples=100), rounds),
        "surrogates, a pair (kernel)": cpu(lambda: cross_map.surrogate_test(raw_y, raw_x[None], tested, 0), rounds),
        f"surrogates, each of {PAIRS} pairs, with labels": cpu(
            lambda: ccm(many_x, many_y, direction="cause_to_effect", surrogates=1000), rounds
        )
        / PAIRS,
    }
    for name, peer in peers.CONVERGENCE.items():
        if peers.has(name):
            found[f"convergence, {name}"] = cpu(lambda p=peer: p(raw_y, raw_x, SIZES, 100), 1)
    for name, peer in peers.ONE_BY_ONE.items():
        if peers.has(name):
            found[f"surrogates, {name}"] = cpu(lambda p=peer: p(raw_y, raw_x, 10), 1) * 100
    for name, peer in peers.TOGETHER.items():
        if peers.has(name):
            found[f"surrogates, {name}"] = cpu(lambda p=peer: p(raw_y, raw_x, 1000), 1)
    print(found, flush=True)
    return found


def seasonal(length: int) -> np.ndarray:
    """Two slow seasonal series (2, length): autoregressive, 0.95, plus an annual cycle."""
    noise, series = np.random.default_rng(0).standard_normal((2, length)), np.zeros((2, length))
    for t in range(1, length):
        series[:, t] = 0.95 * series[:, t - 1] + noise[:, t]
    return series + 4 * np.sin(2 * np.pi * np.arange(length) / 365.25)


def growth(rounds: int) -> pd.DataFrame:
    """ms of one map of :func:`seasonal` series by length."""
    series = seasonal(GROWTH[-1])
    rows = []
    for length in GROWTH:
        row = {"L": length}
        for dim in (1, 2, 3, 5):
            y, x, chosen = series[0, :length], series[1:, :length], Settings(dim=dim, compiled=True)
            row[f"E = {dim}"] = cpu(lambda y=y, x=x, s=chosen: cross_map.cross_map(y, x, s, 0), rounds)
        rows.append(row)
    found = pd.DataFrame(rows)
    print(found, flush=True)
    return found


START = """
import time, resource
cpu = time.process_time()
import numpy as np
from xdrought.kernels import cross_map
from xdrought.kernels.cross_map import Settings
x = np.random.default_rng(0).standard_normal((2, 300))
import xdrought.kernels.compiled_operator, xdrought.kernels.plain_maps, xdrought.kernels.random_libraries
ready = time.process_time()
cross_map.cross_map(x[0], x[1:], Settings(compiled=True), 0)
maps = time.process_time()
cross_map.library_skill(x[0], x[1:], Settings(compiled=True, library_sizes=(50,), samples=2), 0)
print(ready - cpu, maps - ready, time.process_time() - maps)
"""
MEMORY = """
import sys, numpy as np
from pathlib import Path
from xdrought.kernels import cross_map
from xdrought.kernels.cross_map import Settings
def status(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1])
x = np.cumsum(np.random.default_rng(0).standard_normal((2, int(sys.argv[1]))), axis=1)
cross_map.cross_map(x[0, :300], x[1:, :300], Settings(compiled=True), 0)
Path("/proc/self/clear_refs").write_text("5")  # the peak starts again at what is resident now
before = status("VmRSS")
cross_map.cross_map(x[0], x[1:], Settings(compiled=True), 0)
print((status("VmHWM") - before) / 1024)
"""


def start_up() -> pd.DataFrame:
    """CPU seconds to import numba, and to compile or load the map and the libraries, without and with a cache."""
    with tempfile.TemporaryDirectory() as cache:
        environment = os.environ | {"NUMBA_CACHE_DIR": cache}
        rows = []
        for state in ("first process on a machine", "later processes"):
            done = subprocess.run([sys.executable, "-c", START], env=environment, capture_output=True, check=True)
            numbers = (float(word) for word in done.stdout.split())
            rows.append({"": state} | dict(zip(("import numba", "map", "libraries"), numbers, strict=True)))
    return pd.DataFrame(rows)


def memory() -> pd.DataFrame:
    """Extra resident memory of one map at its peak, E = 2, MB; Linux only."""
    rows = []
    for length in (20_000, 40_000, 80_000, 160_000, 320_000):
        done = subprocess.run([sys.executable, "-c", MEMORY, str(length)], capture_output=True, check=True)
        rows.append({"L": length, "MB": float(done.stdout)})
        rows[-1]["bytes a day"] = rows[-1]["MB"] * 2**20 / length
    return pd.DataFrame(rows)


def slopes(table: pd.DataFrame) -> dict[str, float]:
    """Exponent of growth with L of every column but L, from 2000 days on, where constant costs no longer count."""
    long = table[table.L >= 2000]
    return {name: float(np.polyfit(np.log(long.L), np.log(long[name]), 1)[0]) for name in table.columns if name != "L"}


def draw(table: pd.DataFrame, maps: pd.DataFrame, path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 5), layout="constrained")
    for name, slope in slopes(table).items():
        axes.loglog(table.L, table[name], "o-", label=f"xdrought, {name}: $L^{{{slope:.2f}}}$")
    for name in ("causal-ccm", "pyEDM"):
        if name in maps:
            part = maps[maps.E == 2]
            axes.loglog(part.L, part[name], "s--", color="0.5" if name == "pyEDM" else "0.2", label=f"{name}, E = 2")
    axes.set(xlabel="length of the record, days", ylabel="CPU time of one cross map, ms")
    axes.legend()
    axes.grid(which="both", alpha=0.3)
    figure.savefig(path, dpi=120)


def markdown(table: pd.DataFrame, digits: int = 3) -> str:
    def cell(value: object) -> str:
        return f"{value:.{digits}g}" if isinstance(value, float) else str(value)

    lines = ["| " + " | ".join(map(str, table.columns)) + " |", "|" + "---|" * len(table.columns)]
    lines += ["| " + " | ".join(cell(v) for v in row) + " |" for row in table.itertuples(index=False, name=None)]
    return "\n".join(lines)


def versions() -> str:
    found = []
    for name in ("numpy", "scipy", "numba", "torch", "xarray", "causal-ccm", "pyEDM", "kedm", "fastccm"):
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"{name} not installed")
    return ", ".join(found)


def machine() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        model = platform.processor()
    return f"{model}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"


def ratios(sites: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for row in sites.to_dict("records"):
        names = [n for n in peers.SITE if n in row]
        rows.append({"E": row["E"]} | {n: row[n] / row["xdrought"] for n in names})
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sites", type=int, default=156)
    parser.add_argument("--out", type=Path, default=Path("docs/benchmarks"))
    parser.add_argument("--workload", action="store_true", help="print the paper's workload at E = 2, write nothing")
    options = parser.parse_args()
    folder = os.environ.get("XDROUGHT_DATA_DIR")
    if not folder:
        sys.exit("XDROUGHT_DATA_DIR is not set: the benchmark needs the FLUXNET2015 files of DE-Geb")
    torch.set_num_threads(1)
    series = read_tower(Path(folder))
    if options.workload:
        found = workload(series, options.sites, options.rounds, DIMS[:1])
        print(markdown(found), markdown(ratios(found)), sep="\n\n")
        return
    options.out.mkdir(parents=True, exist_ok=True)
    cross_map.cross_map(series["TA_F"][:300], series["TA_F"][None, :300], COMPILED, 0)
    maps, worst = one_maps(series, options.rounds)
    sites = workload(series, options.sites, options.rounds)
    pair = draws(series, options.rounds)
    lengths = growth(options.rounds)
    draw(lengths, maps, options.out / "ccm_growth.png")
    errors = [c for c in sites.columns if c.endswith(", error")]
    missing = [name for name in ("causal-ccm", "pyEDM", "kedm", "fastccm") if not peers.has(name)]
    absent = f"Not installed, so not measured: {', '.join(missing)}." if missing else ""
    report = f"""# Speed: cross mapping

`python ci/benchmarks/ccm.py --rounds {options.rounds} --sites {options.sites}`

{machine()}. {versions()}. {absent}

Process CPU time in ms, medians, every library held to one thread. Other jobs shared the machine during this run, which
lengthens CPU times too: ratios within the run mean more than the times. No GPU was there; none is quoted.

Series: FLUXNET2015 DE-Geb daily, gaps bridged and 1e-6 of noise added, so that ties cannot blur the comparison.
pyEDM computes both directions at once: its time is halved under "One map". Its and causal-ccm's skill differ from
ours by at most {worst:.1g}.

## One map, ms

{markdown(maps)}

## The paper's workload: 48 series, both directions, L = {LENGTH}, ms a site

{markdown(sites.drop(columns=errors))}

`all sites, s` is one call of `xdrought.ccm`, labels included. causal-ccm is four maps times 24.
Times as long as xdrought:

{markdown(ratios(sites))}

Worst difference of a skill from ours:

{markdown(sites[["E", *errors]])}

## Convergence and surrogates, one pair, L = {LENGTH}, E = 2, ms

Convergence: {len(SIZES)} sizes ({SIZES[0]} to {SIZES[-1]}) x 100 libraries, both directions, with interval, Kendall's
tau and Fisher's z. Surrogates: 1000, one direction, annual cycle removed, generation included.
Peers' surrogates: mapping only (pyEDM: both directions); causal-ccm and pyEDM are ten maps times a hundred.

{markdown(pd.DataFrame(pair.items(), columns=["", "ms"]))}

## Start, CPU s

{markdown(start_up())}

Jobs of any size use compiled code that is there already. Where it is not, those below {cross_map.WORTH_COMPILING:,} day
searches, with surrogates below {cross_map.WORTH_COMPILING_SURROGATES:,}, and with libraries below
{cross_map.WORTH_COMPILING_LIBRARIES:,}, use scipy's tree; below {cross_map.WORTH_LOADING:,} numba is not even imported.
The numbers agree to 1e-12. The code for a whole record is compiled for each embedding dimension.

## Growth with L, ms

{markdown(lengths)}

Exponents from 2000 days on: {", ".join(f"{n}: {s:.2f}" for n, s in slopes(lengths).items())}.

![CPU time of one map by length](ccm_growth.png)

## Memory of one map, E = 2

{markdown(memory())}

Peak of this run: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB.
"""
    (options.out / "ccm.md").write_text(report, encoding="utf-8")
    print(report)


if __name__ == "__main__":
    main()
