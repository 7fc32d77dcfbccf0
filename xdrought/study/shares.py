"""What share of the gain that the causality input brings is had without any causality."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from xdrought.kernels.nested_bootstrap import bootstrap_medians
from xdrought.study.comparison import usable_table

CAUSALITY = "causality"


def gain_shares(
    scores: xr.Dataset,
    *,
    controls: Sequence[str] | None = None,
    over: str = "zeros",
    score: str = "nse",
    n_boot: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """The gain of causality over nothing, and the share of it that each control reaches without causality.

    Parameters
    ----------
    scores : xarray.Dataset
        From :func:`xdrought.study.placebo`, with the models "causality" and `over`.
    controls : sequence of str, optional
        Models whose share is asked; by default all that are neither causality, `over` nor a reference.
    over : str
        The model without any site input.
    score : str
        Which score.
    n_boot, confidence, seed
        As in :func:`xdrought.study.paired_differences`: sites are drawn and runs within them, the same for all.

    Returns
    -------
    pandas.DataFrame
        A row for causality, then one for each control: ``gain lower upper`` (median over sites of the difference to
        `over`), ``share share_lower share_upper`` (the control's gain over that of causality) and ``verdict``. One
        less the share is what causality adds to the control. Shares are NaN, and the verdict says so, unless the whole
        interval of causality's own gain is above 0: there is then nothing to share.

    Raises
    ------
    ValueError
        For an unknown score or models.

    Notes
    -----
    A share is a ratio of two medians, its interval the percentiles of that ratio over the bootstrap samples.
    "identity", "embedding", "random" and "shuffled" tell sites apart and hold nothing else; what they reach is site
    identity.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from xdrought.study import gain_shares
    >>> rng = np.random.default_rng(0)
    >>> zeros = rng.random((3, 20))
    >>> nse = np.stack([zeros + 0.4, zeros, zeros + 0.3])
    >>> coords = {"model": ["causality", "zeros", "identity"], "site": range(20)}
    >>> found = gain_shares(xr.Dataset({"nse": (("model", "run", "site"), nse)}, coords))
    >>> found.share.round(2).tolist()
    [1.0, 0.75]
    """
    caller = "gain_shares"
    table, models = usable_table(scores, score, caller)
    references = scores["is_reference"].values if "is_reference" in scores else np.zeros(len(models), dtype=bool)
    if controls is None:
        controls = [m for m, known in zip(models, references, strict=True) if not known and m not in (CAUSALITY, over)]
    wanted = [CAUSALITY, *controls]
    missing = [name for name in (*wanted, over) if name not in models]
    if missing:
        raise ValueError(f"{caller}: no model {missing}; the scores have {models}")
    gains = table[[models.index(name) for name in wanted]] - table[models.index(over)]
    samples = bootstrap_medians(gains, n_boot, seed)
    tail = [(1 - confidence) / 2, (1 + confidence) / 2]
    medians = np.median(gains.mean(axis=1), axis=-1)
    bounds = np.quantile(samples, tail, axis=1).T  # (model, 2)
    is_gain = bool(bounds[0, 0] > 0)
    ratio = samples / samples[0]
    rows = []
    for k, name in enumerate(wanted):
        share, low, high = (medians[k] / medians[0], *np.quantile(ratio[k], tail)) if is_gain else (np.nan,) * 3
        words = _verdict(low, high) if is_gain else _refusal(medians[0], *bounds[0])
        rows.append(
            {
                "model": name, "gain": medians[k], "lower": bounds[k, 0], "upper": bounds[k, 1], "share": share,
                "share_lower": low, "share_upper": high, "verdict": "" if k == 0 and is_gain else words,
            }
        )  # fmt: skip
    return pd.DataFrame(rows).set_index("model")


def _verdict(low: float, high: float) -> str:
    if high < 1:
        return "causality adds to it"
    if low > 1:
        return "it gives more than causality"
    return "no evidence that causality adds to it" if low > 0 else "the share is not determined"


def _refusal(gain: float, low: float, high: float) -> str:
    return f"no share: the gain of causality, {gain:+.3f} ({low:+.3f} to {high:+.3f}), is not above 0"
