"""The peers of `ccm.py`, each called as its own guide says: arrays in, skill out. Measured only, never a dependency."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pandas as pd

MODULES = {"causal-ccm": "causal_ccm", "pyEDM": "pyEDM", "kedm": "kedm", "fastccm": "fastccm", "fastccm f32": "fastccm"}


def has(name: str) -> bool:
    """Whether a peer is installed."""
    return find_spec(MODULES.get(name, name)) is not None


def causal_ccm_map(y: np.ndarray, x: np.ndarray, dim: int) -> float:
    from causal_ccm.causal_ccm import ccm

    return float(ccm(x, y, tau=1, E=dim).causality()[0])


def pyedm_both(y: np.ndarray, x: np.ndarray, dim: int, sizes: list[int] | None = None, sample: int = 1) -> np.ndarray:
    """Skill (2,) of x from y's manifold and of y from x's, with the largest library."""
    import pyEDM

    table = pd.DataFrame({"time": np.arange(y.size), "y": y, "x": x})
    sizes = sizes or [y.size - dim + 1]
    found = pyEDM.CCM(
        dataFrame=table,
        columns="y",
        target="x",
        libSizes=sizes,
        sample=sample,
        E=dim,
        Tp=0,
        tau=-1,
        seed=1,
        parallel=False,
    )
    return found[["y:x", "x:y"]].to_numpy()[-1]


def pyedm_map(y: np.ndarray, x: np.ndarray, dim: int) -> float:
    return float(pyedm_both(y, x, dim)[0])


def kedm_map(y: np.ndarray, x: np.ndarray, dim: int) -> float:
    import kedm

    size = [y.size - dim + 1]
    return kedm.ccm(y.astype(np.float32), x.astype(np.float32), lib_sizes=size, sample=1, E=dim, Tp=0, seed=1)[0]


def _embed(x: np.ndarray, dim: int) -> np.ndarray:
    return np.stack([x[dim - 1 - lag : x.size - lag] for lag in range(dim)], axis=1)


def _fastccm(sources: list[np.ndarray], targets: np.ndarray, dim: int, dtype: str) -> np.ndarray:
    from fastccm import PairwiseCCM

    embedded = [_embed(source, dim) for source in sources]
    values = [target[dim - 1 :, None] for target in targets]
    scores = PairwiseCCM(device="cpu", dtype=dtype).score_matrix(embedded, values, exclusion_window=0)
    return np.asarray(scores, dtype=float).ravel()


def fastccm_map(y: np.ndarray, x: np.ndarray, dim: int) -> float:
    return float(_fastccm([y], x[None], dim, "float64")[0])


def causal_ccm_site(y: np.ndarray, cells: np.ndarray, dim: int) -> None:
    """Four of the 96 maps; `ccm.py` multiplies."""
    for x in cells[:2]:
        causal_ccm_map(y, x, dim)
        causal_ccm_map(x, y, dim)


def pyedm_site(y: np.ndarray, cells: np.ndarray, dim: int) -> np.ndarray:
    return np.array([pyedm_both(y, x, dim) for x in cells]).T


def fastccm_site(y: np.ndarray, cells: np.ndarray, dim: int, dtype: str = "float64") -> np.ndarray:
    return np.stack([_fastccm([y], cells, dim, dtype), _fastccm(list(cells), y[None], dim, dtype)])


def fastccm_site_f32(y: np.ndarray, cells: np.ndarray, dim: int) -> np.ndarray:
    return fastccm_site(y, cells, dim, "float32")


def kedm_site(y: np.ndarray, cells: np.ndarray, dim: int) -> np.ndarray:
    """All pairs: there is no way to ask for one series against the rest."""
    import kedm

    data = np.concatenate([y[None], cells]).T.astype(np.float32)
    skill = kedm.xmap(data, [dim] * data.shape[1])
    return np.stack([skill[0, 1:], skill[1:, 0]])


def pyedm_convergence(y: np.ndarray, x: np.ndarray, sizes: tuple[int, ...], samples: int) -> None:
    pyedm_both(y, x, 2, list(sizes), samples)


def kedm_convergence(y: np.ndarray, x: np.ndarray, sizes: tuple[int, ...], samples: int) -> None:
    import kedm

    y, x = y.astype(np.float32), x.astype(np.float32)
    for one, other in ((y, x), (x, y)):
        kedm.ccm(one, other, lib_sizes=list(sizes), sample=samples, E=2, Tp=0, seed=1)


def fastccm_surrogates(y: np.ndarray, x: np.ndarray, number: int) -> None:
    _fastccm([y], np.stack([np.roll(x, 7 * turn) for turn in range(number)]), 2, "float64")


def each_surrogate(one_map):
    """A peer that has to map surrogates one by one."""

    def work(y: np.ndarray, x: np.ndarray, number: int) -> None:
        for turn in range(number):
            one_map(y, np.roll(x, 7 * turn), 2)

    return work


ONE_MAP = {"causal-ccm": causal_ccm_map, "pyEDM": pyedm_map, "kedm": kedm_map, "fastccm": fastccm_map}
SITE = {
    "causal-ccm": causal_ccm_site,
    "pyEDM": pyedm_site,
    "kedm": kedm_site,
    "fastccm": fastccm_site,
    "fastccm f32": fastccm_site_f32,
}
CONVERGENCE = {"pyEDM": pyedm_convergence, "kedm": kedm_convergence}
ONE_BY_ONE = {"causal-ccm": each_surrogate(causal_ccm_map), "pyEDM": each_surrogate(pyedm_map)}
TOGETHER = {"fastccm": fastccm_surrogates}
