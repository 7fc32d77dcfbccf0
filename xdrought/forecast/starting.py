"""A training that starts from another forecaster: the same variables, and no test day that it has learnt from."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

import numpy as np

from xdrought import checks, files
from xdrought.forecast.forecaster import Forecaster
from xdrought.forecast.options import MissingInputs, TargetInputs
from xdrought.splits import Splits
from xdrought.windows.labelled import Patches

LEARNT = ("train", "val")


def require_same_variables(
    start: Forecaster,
    windows: Patches,
    target: Hashable,
    target_inputs: TargetInputs,
    missing: MissingInputs,
    units: Mapping[Hashable, str | None],
) -> None:
    """Raise unless the scaling of a forecaster can be used for these windows: the same variables, in the same units."""
    found, wanted = (windows.drivers, target), (start.features, start.target)
    if found != wanted:
        raise ValueError(
            f"start_from was trained on the drivers {list(map(str, wanted[0]))} for {wanted[1]!r}, found "
            f"{list(map(str, found[0]))} for {found[1]!r}; give the same in this order, renaming if needed"
        )
    if target_inputs != start.target_inputs:
        raise ValueError(
            f"start_from has {start.target_inputs}, this call {target_inputs}; give the same target_history, "
            f"predict_change and latency"
        )
    if missing.policy != start.missing.policy:
        raise ValueError(
            f"start_from was trained with missing={start.missing.policy!r}, this call has {missing.policy!r}; give the "
            f"same"
        )
    other = {str(name): (start.units.get(name), unit) for name, unit in units.items() if start.units.get(name) != unit}
    if other:
        raise ValueError(
            f"start_from was trained with other units (then, now): {other}; convert the data first, its scaling is used"
        )


def warn_of_known_test_days(start: Forecaster, splits: Splits) -> None:
    """Warn when test days of these splits are training or validation days of the forecaster, at the same places."""
    n_known = count_known_places(start, splits)
    if n_known:
        checks.warn(
            f"start_from has learnt from days that are now test days at {n_known} place(s), so that scores of the test "
            f"part are too good; give split=start_from.splits, or other places"
        )


def count_known_places(start: Forecaster, splits: Splits) -> int | None:
    """Places with test days that a forecaster has learnt from; None where places cannot be told apart."""
    before, now = start.splits.ranges, splits.ranges
    places = [dim for dim in now.start.dims if dim != "part"]
    labelled = all(dim in ranges.indexes for dim in places for ranges in (before, now))
    if set(before.start.dims) != set(now.start.dims) or not labelled:
        return None
    before = before.reindex({dim: now[dim] for dim in places})
    tested = now.sel(part="test", drop=True)
    learnt = before.sel(part=list(LEARNT))
    both = (learnt.start <= tested.end) & (learnt.end >= tested.start)
    return int(np.count_nonzero(both.any("part")))


def digest_of_start(start: Forecaster) -> str:
    """What the forecaster is known by that a training started from: its weights."""
    return files.digest(tensor.numpy() for weights in start.weights for tensor in weights.values())
