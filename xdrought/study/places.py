"""Where events were, and whether numbers belong to them."""

from __future__ import annotations

import xarray as xr


def place_of_events(events: xr.Dataset, caller: str) -> xr.DataArray:
    """The site of each event, or its cell where there are no sites."""
    for name in ("site", "cell"):
        if name in events.variables:
            return events[name]
    raise ValueError(f"{caller}: the events have neither site nor cell; give the result of flash_drought_events")


def require_fit(events: xr.Dataset, caller: str, **numbers: xr.DataArray) -> None:
    """Raise unless each is one number per event."""
    n_event = events.sizes.get("event", 0)
    for name, values in numbers.items():
        if values.dims != ("event",) or values.sizes["event"] != n_event:
            raise ValueError(
                f"{caller}: {name} is on {dict(values.sizes)}, the events are {n_event}; "
                f"give one number for each of the same events"
            )
