"""Daily tower records of FLUXNET: soil moisture, soil temperature and the weather at the tower."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from os import PathLike

import pandas as pd
import xarray as xr

from xdrought import calendars, checks
from xdrought.data.fluxnet_files import Source, find_sources, read_place, read_table
from xdrought.data.sites import (
    SiteRecord,
    check_valid_range,
    mask_impossible,
    mask_out_of_range,
    place_of,
    read_places,
    to_dataset,
)
from xdrought.public_functions import public
from xdrought.suggestions import did_you_mean

DRIVERS = ("TA_F", "VPD_F", "PA_F", "P_F", "WS_F", "SW_IN_F", "LE_F_MDS")
REFERENCE = "Pastorello et al. (2020), https://doi.org/10.1038/s41597-020-0534-3"

# Units of daily files; sums over the day (P, carbon fluxes) are per day.
_UNITS = (
    (r".+_QC", "1"),
    (r"TA_(F|F_MDS|ERA|F_DAY|F_NIGHT)|TS_F_MDS_\d+", "degC"),
    (r"VPD_(F|F_MDS|ERA)", "hPa"),
    (r"PA(_F|_ERA)?", "kPa"),
    (r"P(_F|_ERA)?", "mm d-1"),
    (r"WS(_F|_ERA)?|USTAR", "m s-1"),
    (r"SW_IN_(POT|F|F_MDS|ERA)|LW_IN_(F|F_MDS|ERA)|SW_OUT|LW_OUT|NETRAD", "W m-2"),
    (r"G_F_MDS|(LE|H)_(F_MDS|CORR|CORR_25|CORR_75|RANDUNC)", "W m-2"),
    (r"SWC_F_MDS_\d+|RH", "%"),
    (r"PPFD_(IN|DIF|OUT)", "umol/m^2/s"),
    (r"CO2_F_MDS", "umol/mol"),
    (r"WD", "degree"),
    (r"(NEE|GPP_NT|GPP_DT|RECO_NT|RECO_DT)_[VC]UT_(REF|MEAN|USTAR50|\d\d)", "g/m^2/day"),
)

_LONG_NAMES = {
    "TA_F": "air temperature",
    "VPD_F": "vapour pressure deficit",
    "PA_F": "air pressure",
    "P_F": "precipitation, sum of the day",
    "WS_F": "wind speed",
    "SW_IN_F": "incoming shortwave radiation",
    "LE_F_MDS": "latent heat flux, gap-filled",
}


@public
def open_fluxnet(
    path: str | PathLike | Iterable[str | PathLike],
    *,
    sites: Sequence[str] | None = None,
    target: str = "SWC_F_MDS_1",
    soil_temperature: str = "TS_F_MDS_1",
    variables: Sequence[str] = (),
    units: Mapping[str, str] | None = None,
    min_quality: float | None = None,
    valid_range: tuple[float, float] = (0.0, 100.0),
    site_table: str | PathLike | pd.DataFrame | None = None,
    site_id: str | Mapping[str, str] | None = None,
) -> xr.Dataset:
    """Read daily FLUXNET files, csv or published zip, as one SITE Dataset.

    FLUXNET2015 (SUBSET, FULLSET), AmeriFlux FLUXNET, ICOS, and the common product of all networks (FLUXMET), which the
    FLUXNET shuttle fetches, have the same columns, units and missing code.

    Every site found is returned, also one without soil moisture; which of them can be used is the second
    call, ``screen_sites(open_fluxnet(...))``, and its report.

    Parameters
    ----------
    path : path or iterable of paths
        A daily csv (``FLX_<site>_FLUXNET2015_SUBSET_DD_<years>_<version>.csv``,
        ``AMF_<site>_FLUXNET_FLUXMET_DD_<years>_v1.3_r1.csv``), also as ``.csv.gz``; a published zip, of which the daily
        member is read in memory; a folder that holds such at any depth; or a list of these.
    sites : sequence of str, optional
        Keep these sites only, in this order.
    target, soil_temperature : str
        The columns that become ``soil_moisture`` and ``soil_temperature``.
    variables : sequence of str
        Columns to keep beside TA_F, VPD_F, PA_F, P_F, WS_F, SW_IN_F and LE_F_MDS.
    units : mapping, optional
        Units of columns of `variables` whose units are not known here.
    min_quality : float, optional
        Set soil moisture to NaN on days whose quality flag (the fraction, 0 to 1, of measured or
        well-filled half-hours) is below this. None, the default, keeps the published, gap-filled values as
        they are; the paper filters on invalid values only (section 3.1).
    valid_range : (float, float)
        Soil moisture in % outside this closed range is set to NaN.
    site_table : path or pandas.DataFrame, optional
        One row a site: ``site, lat, lon`` and perhaps ``elevation_m, igbp`` (or the BADM names). Without it,
        ``sites.csv`` beside the files is used, then the metadata that came with them (BIF, SITEINFO); without these,
        lat and lon are NaN and a warning says so.
    site_id : str or mapping, optional
        The site of a single file, or of files by file name, where the name does not tell or is wrong.

    Returns
    -------
    xarray.Dataset
        ``soil_moisture`` (%), ``soil_moisture_qc`` (0 to 1), ``soil_temperature`` (degC) and the drivers
        under their own names, float64 (site, time), days without a gap, NaN where missing or outside a
        site's file. Values that their quantity cannot have are NaN too, and a warning counts them. On site:
        ``lat lon elevation igbp version record_start record_end`` and what was changed, ``inserted_days
        out_of_range_days rejected_days``. Read into memory.

    Raises
    ------
    FileNotFoundError
        No such path, or no daily file in the folder.
    ValueError
        A file that is not a daily FLUXNET table, is truncated, unpacks to more than 128 MB, has a damaged zip member,
        duplicated or unsorted days; a site in two files; unknown sites, columns or units.

    References
    ----------
    Pastorello et al. (2020), https://doi.org/10.1038/s41597-020-0534-3.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import pandas as pd
    >>> from xdrought.data import open_fluxnet
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> file = folder / "FLX_XX-Abc_FLUXNET2015_SUBSET_DD_2001-2001_1-4.csv"
    >>> _ = file.write_text("TIMESTAMP,SWC_F_MDS_1,TA_F\\n20011230,21.5,4.0\\n20011231,-9999,5.0\\n")
    >>> place = pd.DataFrame({"site": ["XX-Abc"], "lat": [47.0], "lon": [11.0]})
    >>> ds = open_fluxnet(file, site_table=place)
    >>> ds.soil_moisture.values, ds.soil_moisture.attrs["units"]
    (array([[21.5,  nan]]), '%')
    """
    _check_quality(min_quality)
    check_valid_range(valid_range)
    known_units = {name: _units_of(name, units or {}) for name in (*DRIVERS, *variables)}
    sources, aside = find_sources(path, site_id)
    if aside:
        checks.warn(f"left aside, not daily FLUXNET files by name: {aside}")
    sources = _select(sources, sites)
    by_site = {source.site: source for source in sources}
    folders = [(source.site, source.path.parent) for source in sources]
    places = read_places(site_table, folders, lambda site: read_place(by_site[site]))

    columns = {
        target: "soil_moisture",
        f"{target}_QC": "soil_moisture_qc",
        soil_temperature: "soil_temperature",
    }
    wanted, header = set(columns) | set(known_units), set[str]()

    def is_wanted(name: str) -> bool:
        header.add(name)
        return name in wanted

    records = []
    for source in sources:
        table, inserted = read_table(source, is_wanted)
        _check_is_fluxnet(table, source)
        _warn_if_short(table, source)
        # A column may be the target and also be asked for under its own name.
        own = [name for name in variables if name in columns and name in table]
        named = table.rename(columns=columns).join(table[own])
        named, counts = _clean(named, source, target, min_quality, valid_range)
        place = {**place_of(source.site, places), "version": source.version}
        records.append(SiteRecord(source.site, named, place, {"inserted_days": inserted, **counts}))

    present = set().union(*(record.table.columns for record in records))
    missing = [name for name in variables if name not in present]
    if missing:
        raise ValueError(
            f"no file has the column(s) {missing} asked for by variables=; choose from {_listed(header)}"
            f"{did_you_mean(missing[0], header)}"
        )
    attributes = _target_attrs(target, soil_temperature) | {
        name: {"long_name": _LONG_NAMES.get(name, name), "units": text, "original_name": name}
        for name, text in known_units.items()
        if name in present
    }
    attributes = {name: {**attrs, calendars.DAY_BOUNDARY: calendars.LOCAL_DAYS} for name, attrs in attributes.items()}
    lacking = [record.site for record in records if "soil_moisture" not in record.table]
    if len(lacking) == len(records):
        water = {name for name in header if name.startswith("SWC")}
        cure = f"choose target= from {_listed(water)}" if water else "these towers measure none"
        checks.warn(f"no file has the column {target!r}: soil_moisture is missing everywhere; {cure}")
    ds = to_dataset(
        records,
        attributes,
        {
            "title": "FLUXNET daily records",
            "license": "CC-BY-4.0",
            "references": REFERENCE,
            "min_quality": "none" if min_quality is None else float(min_quality),
            "soil_moisture_valid_range": [float(bound) for bound in valid_range],
            "sites_without_target_column": " ".join(lacking),
        },
    )
    return mask_impossible(ds, skip=("soil_moisture",))


def _check_quality(min_quality: float | None) -> None:
    if min_quality is not None and not 0 <= min_quality <= 1:
        raise ValueError(
            f"min_quality={min_quality} is outside 0 to 1; it is the fraction of the day that was "
            f"measured or filled well"
        )


def _units_of(name: str, given: Mapping[str, str]) -> str:
    if name in given:
        return given[name]
    for pattern, units in _UNITS:
        if re.fullmatch(pattern, name):
            return units
    raise ValueError(f"the units of {name!r} are not known; give them, units={{{name!r}: ...}}")


def _listed(columns: set[str], at_most: int = 20) -> str:
    """Columns of files in words, those of quality and after the first `at_most` left out."""
    names = sorted(name for name in columns if name != "TIMESTAMP" and not name.endswith("_QC"))
    return f"{names[:at_most]}{' and more' if len(names) > at_most else ''}"


def _target_attrs(target: str, soil_temperature: str) -> dict[str, dict[str, str]]:
    return {
        "soil_moisture": {
            "long_name": "volumetric soil water content",
            "units": "%",
            "original_name": target,
            "ancillary_variables": "soil_moisture_qc",
        },
        "soil_moisture_qc": {
            "long_name": "fraction of the day's soil moisture measured or filled well",
            "units": "1",
            "original_name": f"{target}_QC",
        },
        "soil_temperature": {
            "long_name": "soil temperature",
            "units": "degC",
            "original_name": soil_temperature,
        },
    }


def _select(sources: list[Source], sites: Sequence[str] | None) -> list[Source]:
    if sites is None:
        return sources
    by_site = {source.site: source for source in sources}
    unknown = [site for site in sites if site not in by_site]
    if unknown or isinstance(sites, str):
        raise ValueError(
            f"sites={sites!r} must be a list of sites that are there; not found: {unknown}. "
            f"The files have {sorted(by_site)}"
        )
    return [by_site[site] for site in dict.fromkeys(sites)]


def _check_is_fluxnet(table: pd.DataFrame, source: Source) -> None:
    if not len(table.columns):
        raise ValueError(
            f"{source.path.name} has a TIMESTAMP but none of the FLUXNET columns looked for "
            f"(SWC_F_MDS_1, TA_F, P_F ...); it is not a FLUXNET file, or its header was changed"
        )


def _warn_if_short(table: pd.DataFrame, source: Source) -> None:
    last = table.index[-1]
    if source.last_year is not None and last < pd.Timestamp(source.last_year, 12, 31):
        checks.warn(
            f"{source.path.name} ends on {last:%Y-%m-%d} though its name says {source.last_year}; it may be cut short"
        )


def _clean(
    table: pd.DataFrame,
    source: Source,
    target: str,
    min_quality: float | None,
    valid_range: tuple[float, float],
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Soil moisture without impossible or poor values, and how many of each there were."""
    if "soil_moisture" not in table:
        return table, {}
    moisture, outside = mask_out_of_range(table["soil_moisture"], valid_range)
    rejected = 0
    if min_quality is not None:
        if "soil_moisture_qc" not in table:
            raise ValueError(
                f"min_quality={min_quality} needs the column {target}_QC, which {source.path.name} "
                f"lacks; use min_quality=None or leave out site {source.site}"
            )
        poor = moisture.notna() & ~(table["soil_moisture_qc"] >= min_quality)
        moisture, rejected = moisture.mask(poor), int(poor.sum())
    return table.assign(soil_moisture=moisture), {"out_of_range_days": outside, "rejected_days": rejected}
