"""The speed claims of the docs as rows of `suite.py`: our call, its peers, and the goals that were set for them.

Every topic is a function that sets its data up and gives its rows; small sizes where `quick`. The work itself is that
of the benchmark that a topic has to itself (`events.py`, `ccm.py` ...).
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from interleaved import Peer, Row, Way, timed

PYEDM = {"needs": "pyEDM", "install": "pyEDM"}
CAUSAL_CCM = {"needs": "causal_ccm", "install": "causal-ccm"}
FASTCCM = {"needs": "fastccm", "install": "fastccm"}
KEDM = {"needs": "kedm", "install": "kedm"}
XCLIM = {"needs": "xclim", "install": "xclim"}


def events(quick: bool) -> Iterator[Row]:
    """Percentiles, events and classes of a cube, beside tools that do a part of it."""
    import events as bench

    cube = bench.simulate((40, 40) if quick else (200, 200), bench.YEARS_10, seed=0)
    whole, part = bench.part_of(cube, True), bench.part_of(cube, False)
    goals = {"xclim `rle` of one mask": 15, "xclim `find_events` of one mask": 150, "pandas loop": 60}

    def peer(name: str, make: Callable, on_whole: bool) -> Peer:
        given = whole if on_whole else part
        needs = XCLIM if name.startswith("xclim") else {}
        times = whole.size / given.size
        return Peer(name, lambda: timed(make(given), times), goal=goals.get(name), **needs)

    peers = tuple(peer(name, *how) for name, how in bench.PEERS.items())
    mar_ex = Peer(
        "marEx `identify_extremes`, exact: a threshold and a mask only",
        lambda: timed(marex_extremes(part), whole.size / part.size),
        needs="marEx",
        install="marEx",
    )
    yield Row(
        f"percentiles, events and classes of {cube.shape[0]} x {cube.shape[1]} series of ten years, one pass",
        timed(lambda: bench.kernel(cube)),
        (*peers, mar_ex),
        "ranking, which spreads each series over bins by value (written at random places, read again in order); a "
        "quarter of the bytes would do if ranks of one series were kept in 16 bits",
        parts=(("without ranking: codes, spells, classes", timed(lambda: unranked(cube))),),
    )
    yield Row(
        "the same by the labelled calls: `flash_drought_events`, then `drought_classes`",
        timed(lambda: bench.events_and_classes(whole)),
        peers,
        "the second ranking: both calls do it, and one call that gave both would do it once",
        parts=(("the kernel's one pass", timed(lambda: bench.kernel(cube))),),
    )


def unranked(values: np.ndarray) -> object:
    """The kernel on the same numbers taken for percentiles: all that it does but rank."""
    from xdrought.kernels.events import Rules, detect_events

    rows = values.reshape(-1, values.shape[-1])
    rules, labels = Rules(lower=0.2, upper=0.3), np.empty(rows.shape, np.int8)
    return detect_events(rows, np.arange(rows.shape[1], dtype=float), rules, False, labels)


def marex_extremes(part) -> Callable[[], object]:
    """marEx marks days above a high percentile: of minus the soil moisture, those are the dry ones."""
    import marEx

    dry = (-part).chunk(time=-1)
    dry = dry.assign_coords(lat=np.arange(part.sizes["lat"]), lon=np.arange(part.sizes["lon"]))

    def work() -> None:
        found = marEx.identify_extremes(dry, "global_extreme", 80, method_percentile="exact", quiet=True)
        [each.compute() for each in found]

    return work


def ccm(quick: bool) -> Iterator[Row]:
    """Cross maps of a tower's length: one map, a site of the paper's workload, convergence, surrogates."""
    import ccm as bench
    import ccm_peers as peers
    import pandas as pd
    import xarray as xr

    folder = os.environ.get("XDROUGHT_DATA_DIR")
    if folder:
        series, source = bench.read_tower(Path(folder)), "FLUXNET2015 DE-Geb"
    else:
        made = bench.seasonal(2 * bench.LENGTH)
        series = {name: made[1] + 0.1 * k * made[0] for k, name in enumerate(bench.DRIVERS)}
        series["SWC_F_MDS_1"], source = made[0], "simulated series"
    length = bench.LENGTH
    y, x = series["SWC_F_MDS_1"][:length], series["TA_F"][:length]
    maps = bench.cross_map

    for dim in (2, 5):
        chosen = bench.Settings(dim=dim, compiled=True)
        ours = timed(partial(maps.cross_map, y, x[None], chosen, 0))
        one = {name: partial(peers.ONE_MAP[name], y, x, dim) for name in peers.ONE_MAP}
        yield Row(
            f"one cross map, {length} days, E = {dim} ({source})",
            ours,
            (
                Peer("causal-ccm", partial(timed, one["causal-ccm"]), **CAUSAL_CCM),
                Peer("pyEDM, half of both directions", partial(timed, one["pyEDM"], 0.5), **PYEDM),
                Peer("kedm", partial(timed, one["kedm"]), **KEDM),
                Peer("fastccm", partial(timed, one["fastccm"]), **FASTCCM),
            ),
            "the scan: its cost grows with E, and eight queries wait for the one that looks furthest",
        )

    sites = 24  # fewer may go the way of small jobs, by scipy's tree
    causes, soil = bench.make_sites(series, sites)
    cells = np.concatenate([causes[name].to_numpy()[0] for name in bench.DRIVERS])
    target = soil.to_numpy()[0]
    for dim in (2, 5):
        goals = {"causal-ccm": 500, "pyEDM": 12, "fastccm": 15} if dim == 2 else {}
        site = {name: partial(peers.SITE[name], target, cells, dim) for name in peers.SITE}
        yield Row(
            f"`ccm` of {sites} sites: 48 series, both directions, {length} days, E = {dim}, labels included",
            timed(partial(bench.ccm, causes, soil, embedding_dim=dim), 1 / sites),
            (
                Peer("causal-ccm", partial(timed, site["causal-ccm"], 24), goal=goals.get("causal-ccm"), **CAUSAL_CCM),
                Peer("pyEDM", partial(timed, site["pyEDM"]), goal=goals.get("pyEDM"), **PYEDM),
                Peer("kedm", partial(timed, site["kedm"]), **KEDM),
                Peer("fastccm", partial(timed, site["fastccm"]), goal=goals.get("fastccm"), **FASTCCM),
            ),
            "48 of the 49 searches: each cause is searched for the other direction",
            parts=(
                (
                    "one direction",
                    timed(partial(bench.ccm, causes, soil, embedding_dim=dim, direction="cause_to_effect"), 1 / sites),
                ),
            ),
        )

    dates = pd.date_range("2001-01-01", periods=length)
    cause, effect = (xr.DataArray(v, {"time": dates}, ("time",), name=n) for v, n in ((x, "t2m"), (y, "soil_moisture")))
    samples = 20 if quick else 100
    curves = {name: partial(work, y, x, bench.SIZES, samples) for name, work in peers.CONVERGENCE.items()}
    yield Row(
        f"convergence of a pair: 10 library sizes x {samples} libraries, both directions, with tests",
        timed(partial(bench.ccm, cause, effect, library_size=bench.SIZES, library_samples=samples)),
        (
            Peer("pyEDM, without tests", partial(timed, curves["pyEDM"]), goal=10, **PYEDM),
            Peer("kedm, without tests", partial(timed, curves["kedm"]), goal=4, **KEDM),
        ),
        "the weights: three distances and three values are looked up for each day of each library",
    )
    tested = bench.Settings(surrogates=1000, years=np.arange(length) / 365.2425, compiled=True)
    yield Row(
        "test of a pair against 1000 surrogates, made and mapped, one direction",
        timed(partial(maps.surrogate_test, y, x[None], tested, 0)),
        (
            Peer(
                "causal-ccm, mapping only, a hundred times ten",
                partial(timed, partial(peers.ONE_BY_ONE["causal-ccm"], y, x, 10), 100),
                goal=3000,
                **CAUSAL_CCM,
            ),
            Peer(
                "pyEDM, mapping only, both directions, a hundred times ten",
                partial(timed, partial(peers.ONE_BY_ONE["pyEDM"], y, x, 10), 100),
                goal=150,
                **PYEDM,
            ),
            Peer("fastccm, mapping only", partial(timed, partial(peers.TOGETHER["fastccm"], y, x, 1000)), **FASTCCM),
        ),
        "the inverse transforms, and the skill of each copy",
    )


def windows(quick: bool) -> Iterator[Row]:
    """A batch of windows gathered from memory, beside xbatcher's stock loader."""
    import windows as bench

    ways = bench.gathering_ways()
    dataset, array, scattered, reused, _ = ways
    peers = (
        Peer("xbatcher, Dataset of 12 variables", partial(timed, ways[dataset]), goal=50),
        Peer("xbatcher, one DataArray", partial(timed, ways[array])),
    )
    size = f"{bench.BATCH} windows of {bench.WINDOW} days x {bench.N_DRIVERS} drivers x {bench.SIZE} x {bench.SIZE}"
    batch = ways[scattered]()
    space = batch.clone()
    floor = (("a plain copy of as many bytes", timed(lambda: space.copy_(batch))),)
    said = "memory itself: the copy of a window cannot be faster; sharing days between windows can (runs of 16)"
    yield Row(f"{size}, memory reused", timed(ways[reused]), peers, said, floor)
    said = "the operating system, which clears each page of new memory"
    yield Row(f"{size}, into fresh memory", timed(ways[scattered]), peers, said, floor)


def forecast(quick: bool) -> Iterator[Row]:
    """Prediction and training of the network at its published size, beside the published way restated plainly."""
    import forecast as bench

    days, windows = (96, 64) if quick else (512, 512)
    ours, published = bench.prediction_ways(days)
    yield Row(
        f"prediction of one site's {days} days",
        timed(ours),
        (Peer("every window's days encoded", partial(timed, published), goal=20),),
        "the encoder's convolutions of each day, and the recurrence, which no two windows share",
        warm=False,
    )
    yield Row(
        f"training: a batch of {windows} windows in runs of 16, gathered, both passes and Adam",
        lambda k: statistics.median(bench.train_shared("consecutive", 16, 2, windows)),
        (
            Peer(
                "windows cut one by one, every day encoded",
                lambda: lambda k: bench.train_published(1, windows)[0],
                goal=10,
            ),
        ),
        "the backward pass of the encoder over the days of the batch",
        warm=False,
    )


def attribution(quick: bool) -> Iterator[Row]:
    """Expected gradients beside shap's explainer: at the same number of draws, and at the same noise."""
    import attribution as bench

    n_draws = 100
    published = bench.published_ways(n_draws)
    shap = {"needs": "shap", "install": "shap"}
    yield Row(
        f"attributions of a window at the published size, {n_draws} draws",
        seeded(published["own"]),
        (Peer("shap `GradientExplainer`, equal draws", lambda: seeded(published["shap"]), **shap),),
        "the encoder's convolutions, forward and backward, of every day of every draw",
        warm=False,
    )
    network, inputs, background = bench.trained(3, 2) if quick else bench.trained()
    exact = bench.exact_values(network, inputs, background, 20 if quick else bench.POSITIONS)
    n_draws = 100 if quick else 200
    ways = bench.ways(network, inputs, background, n_draws)
    own = ways["+ known ends (the default)"]
    yield Row(
        f"attributions of {len(inputs)} windows by a small trained network, {n_draws} draws, at equal noise",
        with_noise(own, exact, bench.vector),
        (
            Peer("shap `GradientExplainer`", lambda: with_noise(ways["shap"], exact, bench.vector), goal=4, **shap),
            Peer(
                "captum `GradientShap`",
                lambda: with_noise(captum_gradients(network, inputs, background, n_draws), exact, bench.vector),
                needs="captum",
                install="captum",
            ),
        ),
        "the backward pass; fewer draws, not faster ones, brought most of the gain so far",
    )


def seeded(work: Callable[[int], object]) -> Way:
    """CPU seconds of one call that takes the round as its seed."""

    def way(k: int) -> float:
        begun = time.process_time()
        work(k)
        return time.process_time() - begun

    return way


def with_noise(work: Callable[[int], object], exact: np.ndarray, vector: Callable[[object], np.ndarray]) -> Way:
    """CPU seconds times squared error: what equal noise costs, where squared error falls as one over draws."""

    def way(k: int) -> float:
        begun = time.process_time()
        found = work(k)
        spent = time.process_time() - begun
        return spent * float(((vector(found) - exact) ** 2).mean())

    return way


def captum_gradients(network, inputs, background, n_draws: int) -> Callable[[int], object]:
    """Captum's expected gradients without its noise; maps and causality as one tensor, which takes one background.

    Captum draws from numpy's global state.
    """
    import torch
    from captum.attr import GradientShap

    from xdrought.models.expected_gradients import Attributions

    frames, n_causal = inputs.x.shape[1:], inputs.causality.shape[1]
    given, base = (torch.cat([each.x.flatten(1), each.causality], 1) for each in (inputs, background))
    explainer = GradientShap(lambda v: network(v[:, :-n_causal].unflatten(1, frames), v[:, -n_causal:]))

    def work(seed: int) -> Attributions:
        np.random.seed(seed)  # noqa: NPY002
        found = explainer.attribute(given, base, n_samples=n_draws, stdevs=0.0).detach()
        shares = found[:, :-n_causal].unflatten(1, frames).sum((1, 3, 4))
        return Attributions(shares, found[:, -n_causal:], torch.empty(0))

    return work


TOPICS = {  # the docs page of each
    "events": ("Drought events", events),
    "ccm": ("Cross mapping", ccm),
    "windows": ("Windows", windows),
    "forecast": ("Training and prediction", forecast),
    "attribution": ("Attributions", attribution),
}
