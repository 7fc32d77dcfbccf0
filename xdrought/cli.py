"""The command line: ``xdrought events IN.nc OUT.nc`` and the like, each command a thin door to one function.

Files are netCDF (``.nc``), zarr stores (``.zarr``) or, for one station, text tables (``.csv``). Settings of a
definition are given as ``--set upper=50 min_duration=20``.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr

from xdrought import causality, events, files, provenance

READ_AS = {".nc": "netCDF", ".nc4": "netCDF", ".zarr": "zarr", ".csv": "csv"}


def read(path: Path, time: str) -> xr.Dataset:
    """A Dataset of a file or store; a csv table has one column of dates, named like the time dimension.

    Files and stores are looked through as those of :func:`xdrought.data.era5.open_era5` are: they may come from others.
    """
    from xdrought.data.era5.opening import open_one
    from xdrought.data.station_table import read_station_table

    kind = _kind(path)
    if not path.exists():
        raise FileNotFoundError(f"there is no {path}; give the path of a .nc, .zarr or .csv")
    if kind == "csv":
        return read_station_table(path, time)
    ds = open_one(str(path), chunks={} if kind == "zarr" else None)
    return ds.chunk({time: -1}) if kind == "zarr" and time in ds.dims else ds  # every command needs whole records


def write(result: xr.Dataset | xr.DataArray, path: Path) -> None:
    """Write a result as a whole: the file is there when it is complete, or not at all."""
    kind = _kind(path)
    ds = provenance.cf_dataset(result)
    path.parent.mkdir(parents=True, exist_ok=True)
    with files.replacing(path) as part:
        if kind == "zarr":
            ds.to_zarr(part, mode="w", zarr_format=3, consolidated=False)
        elif kind == "netCDF":
            ds.to_netcdf(part, engine="h5netcdf")
        else:
            _table(result).to_csv(part)


def _table(result: xr.Dataset | xr.DataArray) -> pd.DataFrame:
    """Rows of a result; numbers of one station are one row."""
    ds = result.to_dataset() if isinstance(result, xr.DataArray) else result
    return ds.to_dataframe() if ds.dims else ds.expand_dims("station").to_dataframe()


def _kind(path: Path) -> str:
    if path.suffix.lower() not in READ_AS:
        raise ValueError(f"{path} ends in {path.suffix!r}; files are netCDF (.nc), zarr (.zarr) or text (.csv)")
    return READ_AS[path.suffix.lower()]


def _choose(ds: xr.Dataset, name: Hashable | None, wanted: str) -> xr.DataArray:
    """The variable of a name, or the only one there is."""
    if name is None:
        name = next(iter(ds.data_vars)) if len(ds.data_vars) == 1 else wanted
    if name not in ds:
        raise ValueError(f"there is no variable {name!r}; there are {sorted(map(str, ds.data_vars))}: use --variable")
    if ds[name].dtype.kind in "OSU":
        first = next(iter(ds[name].to_series().dropna().astype(str)), "")
        raise ValueError(f"{name!r} holds texts such as {first!r}, not numbers; write the numbers alone")
    return ds[name]


def _without_codes(values: xr.DataArray, options: argparse.Namespace) -> xr.DataArray:
    """The values with the codes of ``--missing`` as missing ones."""
    return values.where(~values.isin(options.missing)) if options.missing else values


def _soil_moisture(options: argparse.Namespace) -> tuple[xr.DataArray, dict[str, Any]]:
    """The soil moisture of a command, and the keywords of the event functions."""
    ds = read(options.input, options.time)
    values = _without_codes(_choose(ds, options.variable, "soil_moisture"), options)
    if options.units:
        values = values.assign_attrs(units=options.units)
    keywords: dict[str, Any] = {"time": options.time}
    if options.soil_temperature:
        frost = _choose(ds, options.soil_temperature, "soil_temperature")
        keywords["soil_temperature"] = _without_codes(frost, options)
    if options.reference:
        keywords["reference"] = slice(*options.reference)
    return values, keywords


_WORDS = {"True": True, "False": False, "None": None}


def _settings(pairs: Sequence[str]) -> dict[str, Any]:
    """Settings given as NAME=VALUE; numbers become numbers, everything else stays text."""
    settings = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            raise ValueError(f"--set {pair!r} has no '='; write NAME=VALUE, e.g. --set upper=50")
        try:
            settings[name] = _WORDS[text] if text in _WORDS else json.loads(text)
        except ValueError:
            settings[name] = text
    return settings


def _of_events(function: Callable[..., xr.Dataset | xr.DataArray]) -> Callable[[argparse.Namespace], Any]:
    def run(options: argparse.Namespace) -> xr.Dataset | xr.DataArray:
        values, keywords = _soil_moisture(options)
        return function(values, definition=options.definition, **keywords, **_settings(options.set))

    return run


def _percentiles(options: argparse.Namespace) -> xr.DataArray:
    values, keywords = _soil_moisture(options)
    keywords.pop("soil_temperature", None)
    return events.soil_moisture_percentile(values, **keywords, **_settings(options.set))


def _ccm(options: argparse.Namespace) -> xr.Dataset:
    ds = read(options.input, options.time)
    effect = _without_codes(_choose(ds, options.variable, "soil_moisture"), options)
    missing = [name for name in options.causes if name not in ds]
    if missing:
        raise ValueError(f"there is no variable {missing}; there are {sorted(map(str, ds.data_vars))}")
    settings = {"surrogates": options.surrogates, **_settings(options.set)}
    causes = xr.Dataset({name: _without_codes(ds[name], options) for name in options.causes})
    return causality.ccm(causes, effect, time=options.time, **settings)


def _map(options: argparse.Namespace) -> None:
    import matplotlib.pyplot as plt

    plt.switch_backend("Agg")
    from xdrought.plot import plot_map

    field = _choose(read(options.input, options.time), options.variable, "flash_count")
    plot_map(field)
    plt.savefig(options.output, dpi=200, bbox_inches="tight")


def _desk(options: argparse.Namespace) -> xr.Dataset:
    """Today's report; the monitor is brought up to date on the way, and the page is written where one is asked for."""
    from xdrought.bulletin import desk_report
    from xdrought.forecast.onset import load_onset

    onset = load_onset(options.onset)
    ds = read(options.input, options.time)
    soil_moisture = _choose(ds, str(onset.task.target), "soil_moisture")
    more = {name: path and read(path, options.time).load() for name, path in vars(options).items() if name in _SCORES}
    forcing = options.forcing and read(options.forcing, options.time)
    monitor = _monitor(soil_moisture, options)
    report = desk_report(ds, monitor, onset, forcing=forcing, threshold=options.threshold, time=options.time, **more)
    if options.page:
        _page(report, options)
    return report


_SCORES = ("alarms", "skill")
_CORRECTED = pd.Timedelta(days=29)  # how far a monitor looks back for late and corrected days


def _monitor(soil_moisture: xr.DataArray, options: argparse.Namespace) -> Any:
    """The monitor of a folder with the days since, or a new one; saved before anything else can fail."""
    if options.monitor.exists():
        monitor = events.load_monitor(options.monitor)
        since = pd.Timestamp(monitor.index[-1]) - _CORRECTED
        monitor = monitor.update(soil_moisture.sel({options.time: slice(since, None)}), revise=True)
    elif options.reference:
        monitor = events.start_monitor(soil_moisture, reference=tuple(options.reference), time=options.time)
    else:
        raise FileNotFoundError(
            f"there is no monitor {options.monitor}; begin one with --reference START END, a period that is over"
        )
    monitor.save(options.monitor)
    return monitor


def _page(report: xr.Dataset, options: argparse.Namespace) -> None:
    """The report as a page, with a map where the places have latitudes and longitudes."""
    from xdrought.bulletin import write_desk_page

    pictures = {}
    probability = report["flash_onset_probability"]
    if {"lat", "lon"} <= set(probability.coords):
        import matplotlib.pyplot as plt

        plt.switch_backend("Agg")
        from xdrought.plot import plot_map

        text = f"Probability of an onset within {report.attrs['lead']} days"
        shown = probability.assign_attrs(long_name="probability")
        pictures[text] = plot_map(shown, cmap="YlOrRd", vmin=0, vmax=1).figure
    write_desk_page(report, options.page, note=options.note, pictures=pictures)


def make_parser() -> argparse.ArgumentParser:
    """All commands with their help."""
    parser = argparse.ArgumentParser(prog="xdrought", description="Flash droughts of files, without writing Python.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (run, text) in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(run=run)
        command.add_argument("input", type=Path, help="netCDF file, zarr store or csv table")
        command.add_argument(
            "output", type=Path, help="what is written: .png" if name == "map" else ".nc, .zarr or .csv"
        )
        if name != "desk":
            command.add_argument("--variable", help="variable to read; needed when there are several")
        command.add_argument("--time", default="time", help="name of the time dimension or column (default: time)")
        command.add_argument("--quiet", action="store_true", help="no progress bar and no closing line")
        if name in ("events", "classes", "summary", "percentiles"):
            command.add_argument("--units", help="units of the variable, for files that do not say them")
            command.add_argument("--soil-temperature", help="variable that tells frozen soil")
        if name in ("events", "classes", "summary", "percentiles", "desk"):
            command.add_argument(
                "--reference", nargs=2, metavar=("START", "END"), help="period that percentiles refer to"
            )
        if name in ("events", "classes", "summary"):
            command.add_argument("--definition", default="tang2025", help="a published definition (default: tang2025)")
        if name == "desk":
            _add_desk(command)
        if name == "ccm":
            command.add_argument("--causes", nargs="+", required=True, help="variables that may be causes")
            command.add_argument("--surrogates", type=int, default=99, help="surrogates of the test (default: 99)")
        if name not in ("map", "desk"):
            command.add_argument(
                "--missing", nargs="+", type=float, default=[], metavar="CODE", help="numbers that mean no value: -9999"
            )
            command.add_argument("--set", nargs="+", default=[], metavar="NAME=VALUE", help="further settings")
    return parser


def _add_desk(command: argparse.ArgumentParser) -> None:
    """What a morning at the desk needs beside the record."""
    command.add_argument("--monitor", type=Path, required=True, help="folder of the monitor; begun with --reference")
    command.add_argument("--onset", type=Path, required=True, help="onset model, as OnsetModel.save writes it")
    command.add_argument("--forcing", type=Path, help="weather forecast on init_time and lead_time")
    command.add_argument("--alarms", type=Path, help="what alarms() gave: the threshold and what it was worth")
    command.add_argument("--skill", type=Path, help="what onset_skill() gave: how often it came true")
    command.add_argument("--threshold", type=float, help="probability of an alarm, instead of that of --alarms")
    command.add_argument("--page", type=Path, help="also write a page, .html")
    command.add_argument("--note", help="what readers of the page must know first")


COMMANDS: dict[str, tuple[Callable[[argparse.Namespace], Any], str]] = {
    "events": (_of_events(events.flash_drought_events), "The table of all drought events."),
    "classes": (_of_events(events.drought_classes), "The drought class of every day."),
    "summary": (_of_events(events.drought_summary), "Maps of how many droughts there were, how fast and how long."),
    "percentiles": (_percentiles, "Soil moisture percentiles."),
    "ccm": (_ccm, "How variables are related to soil moisture: convergent cross mapping."),
    "map": (_map, "A map of a variable as a picture."),
    "desk": (_desk, "Today at the drought desk: state, probability of an onset, alarms."),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    options = make_parser().parse_args(arguments)
    try:
        if options.output.suffix != ".png" or options.command != "map":
            _kind(options.output)
        if options.output.resolve() == options.input.resolve():
            raise ValueError(f"{options.output} is the input, which would be lost; give the output another name")
        with warnings.catch_warnings(), _progress(options):
            warnings.showwarning = _show_warning
            result = options.run(options)
            if result is not None:
                write(result, options.output)
    except (ValueError, TypeError, KeyError, OSError, ImportError) as error:
        message = error.args[0] if error.args and not isinstance(error, OSError) else error
        more = "; on the command line, give them to --missing" if "codes of missing values" in str(message) else ""
        print(f"xdrought {options.command}: {message}{more}", file=sys.stderr)
        return 1
    if not options.quiet:
        print(options.output)
    return 0


def _progress(options: argparse.Namespace) -> Any:
    """A bar on terminals while blocks are computed."""
    from contextlib import nullcontext

    from dask.diagnostics import ProgressBar

    return nullcontext() if options.quiet or not sys.stderr.isatty() else ProgressBar(out=sys.stderr)


def _show_warning(message: Warning | str, *others: Any, **more: Any) -> None:
    """Warnings of a command without the line of code they are about."""
    print(f"warning: {message}", file=sys.stderr)
