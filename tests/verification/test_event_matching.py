"""Matching of events: worked by hand, as good as trying every choice, and clear about wrong tables."""

from __future__ import annotations

from itertools import permutations

import cftime
import numpy as np
import pytest
import xarray as xr

import xdrought as xd
from tests.support.helpers import unchanged
from xdrought.verification.event_matching import match_events


def table(*events: tuple[str, int, int], calendar: str | None = None) -> xr.Dataset:
    """Events as (site, day of start, duration); the onset point lies three days before the start."""
    sites, starts, durations = zip(*events, strict=True) if events else ((), (), ())
    if calendar is None:
        first = np.datetime64("2001-01-01", "s")
        days = first + np.array(starts, dtype=int) * np.timedelta64(86400, "s")
        onset = days - np.timedelta64(3 * 86400, "s")
    else:
        first = cftime.datetime(2001, 1, 1, calendar=calendar)
        step = cftime.datetime(2001, 1, 2, calendar=calendar) - first
        days = np.array([first + s * step for s in starts])
        onset = days - 3 * step
    data = {"onset_time": onset, "start_time": days, "duration": np.array(durations, dtype=np.int64)}
    return xr.Dataset(
        {name: ("event", values) for name, values in data.items()}, {"site": ("event", np.array(sites, dtype="U9"))}
    )


def test_counts_rates_and_errors_by_hand():
    observed = table(("A", 100, 20), ("A", 200, 30), ("B", 50, 15))
    forecast = table(("A", 104, 18), ("A", 300, 20), ("A", 198, 40), ("C", 10, 20))
    with unchanged(forecast, observed):
        found = match_events(forecast, observed, tolerance=10, lead=7, years=2.0)
    assert found.site.values.tolist() == ["A", "B", "C"]
    for name, expected in {
        "n_observed": [2, 1, 0],
        "n_forecast": [3, 0, 1],
        "hits": [2, 0, 0],
        "misses": [0, 1, 0],
        "false_alarms": [1, 0, 1],
        "pod": [1, 0, np.nan],
        "far": [1 / 3, np.nan, 1],
        "csi": [2 / 3, 0, 0],
        "false_alarms_per_year": [0.5, 0, 0.5],
    }.items():
        np.testing.assert_allclose(found[name], expected, err_msg=name)
    assert found.pod_pooled.item() == pytest.approx(2 / 3)
    assert found.far_pooled.item() == pytest.approx(2 / 4)
    assert found.csi_pooled.item() == pytest.approx(2 / 5)
    assert found.false_alarms_per_year_pooled.item() == pytest.approx(2 / 6)
    assert found.observed_event.values.tolist() == [0, 1]
    assert found.forecast_event.values.tolist() == [0, 2]
    assert found.start_error.values.tolist() == [4, -2]
    assert found.onset_error.values.tolist() == [4, -2]
    assert found.duration_error.values.tolist() == [-2, 10]
    assert found.detection_lead.values.tolist() == [3, 9]


def test_an_event_is_used_once_and_the_number_of_pairs_comes_first():
    # the nearest forecast of both observed events is the same one; giving it to the first leaves the second a partner
    observed = table(("A", 100, 20), ("A", 108, 20))
    forecast = table(("A", 104, 20), ("A", 116, 20))
    found = match_events(forecast, observed, tolerance=10)
    assert found.forecast_event.values.tolist() == [0, 1]
    assert found.observed_event.values.tolist() == [0, 1]
    assert found.hits.item() == 2


def test_it_is_as_good_as_trying_every_choice():
    rng = np.random.default_rng(0)
    for _ in range(200):
        n_forecast, n_observed, tolerance = rng.integers(0, 5), rng.integers(0, 5), rng.integers(0, 15)
        starts = [np.sort(rng.choice(60, n, replace=False)) for n in (n_forecast, n_observed)]
        forecast, observed = (table(*[("A", int(s), 20) for s in one]) for one in starts)
        found = match_events(forecast, observed, tolerance=float(tolerance))
        best = _best_by_trying(starts[0], starts[1], tolerance)
        assert (found.sizes["match"], float(np.abs(found.start_error).sum())) == best


def _best_by_trying(forecast: np.ndarray, observed: np.ndarray, tolerance: float) -> tuple[int, float]:
    """Most pairs, then least summed distance, over all one-to-one choices."""
    slots = [*range(len(forecast)), *[None] * len(observed)]
    best = (0, 0.0)
    for choice in set(permutations(slots, len(observed))):
        off = [abs(forecast[f] - o) for f, o in zip(choice, observed, strict=True) if f is not None]
        kept = [d for d in off if d <= tolerance]
        if len(kept) == len(off):
            best = max(best, (len(kept), -float(sum(kept))))
    return best[0], -best[1]


def test_places_without_events_are_known_from_years():
    years = xr.DataArray([1.0, 2.0], {"site": ["A", "Z"]})
    found = match_events(table(("A", 5, 20)), table(), years=years)
    assert found.site.values.tolist() == ["A", "Z"]
    assert found.false_alarms_per_year.values.tolist() == [1, 0]
    assert found.sizes["match"] == 0


def test_other_calendars_and_cells_and_real_tables():
    noleap = match_events(table(("A", 420, 20), calendar="noleap"), table(("A", 425, 20), calendar="noleap"))
    assert noleap.start_error.values.tolist() == [-5]
    p = np.repeat([60.0, 15.0, 30.0], [5, 20, 15])
    days = {"time": np.datetime64("2001-01-01", "s") + np.arange(40) * np.timedelta64(86400, "s")}
    seen = xr.DataArray(np.stack([p, p]), days, ("cell_index", "time"))
    events = xd.flash_drought_events(seen, is_percentile=True)
    late = xd.flash_drought_events(seen.roll(time=2).fillna(60), is_percentile=True)
    found = match_events(late, events)
    assert found["cell"].values.tolist() == [0, 1]
    assert found.hits.values.tolist() == [1, 1]
    assert found.start_error.values.tolist() == [2, 2]


def test_wrong_tables_are_refused():
    good = table(("A", 5, 20))
    with pytest.raises(ValueError, match="forecast is no table of events"):
        match_events(good.drop_vars("duration"), good)
    with pytest.raises(ValueError, match="observed have neither site nor cell"):
        match_events(good, good.drop_vars("site"))
    both = xr.concat([good, good], "event").assign_coords(definition=("event", ["tang2025", "yuan2019"]))
    with pytest.raises(ValueError, match="several definitions; choose one"):
        match_events(both, good)
    with pytest.raises(ValueError, match="tolerance=-1; it is a number of days"):
        match_events(good, good, tolerance=-1)


def test_a_reference_of_other_places_is_refused_and_of_the_same_record_is_matched():
    p = np.repeat([60.0, 15.0, 30.0], [5, 20, 15])
    days = np.datetime64("2001-01-01", "s") + np.arange(40) * np.timedelta64(86400, "s")
    named = {"site": ("station", ["A", "B"]), "lat": ("station", [40.0, 50.0]), "lon": ("station", [0.0, 9.0])}
    seen = xr.DataArray(np.stack([p, p]), {"time": days, **named}, ("station", "time"))
    events = xd.flash_drought_events(seen, is_percentile=True)
    nameless = xd.flash_drought_events(seen.drop_vars("site"), is_percentile=True)
    with pytest.raises(ValueError, match=r"forecast and references are on other places, .*; make all of one record"):
        match_events(events, events, references={"before": nameless})
    found = match_events(events, events, references={"before": events})
    assert found.hits_reference.sel(reference="before").values.tolist() == [1, 1]
