"""What physical quantities can be: one table of limits, and by what names and units a variable is known."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

import xarray as xr

from xdrought import units

WMO_RECORDS = "WMO World Weather and Climate Extremes Archive, https://wmo.asu.edu"
ECMWF_PARAMETERS = "ECMWF parameter database, https://codes.ecmwf.int/grib/param-db"
BSRN = "Long and Dutton (2002), BSRN recommended quality tests V2.0, physically possible limits"


@dataclass(frozen=True)
class Quantity:
    """What a physical quantity can be: closed limits in `units`, why, and by what names it is known."""

    name: str
    units: str
    lower: float
    upper: float
    reason: str
    source: str
    standard_names: str = ""  # regular expression of CF standard names
    names: str = ""  # regular expression of variable names: ECMWF short names, FLUXNET and USCRN columns


_LAYER = r"(_\d+(cm)?)?"
QUANTITIES = (
    Quantity(
        "volumetric soil moisture",
        "m3 m-3",
        -0.02,
        1.02,
        "a share of the soil's volume; 0.02 more for the calibration of probes in wet peat and dry sand",
        "Dorigo et al. (2013), https://doi.org/10.2136/vzj2012.0097",
        r"volume_fraction_of_(condensed_)?water_in_soil.*",
        rf"swvl[1-4]|volumetric_soil_water_layer_[1-4]|soil_moisture{_LAYER}|SWC(_F_MDS)?(_\d+)*|"
        r"SOIL_MOISTURE_\d+_DAILY|sm|ssm|rzsm",
    ),
    Quantity(
        "percentile",
        "percent",
        0.0,
        100.0,
        "a rank among all values",
        "by definition",
        names=r".*percentile.*",
    ),
    Quantity(
        "air temperature",
        "degC",
        -100.0,
        65.0,
        "records are -89.2 (Vostok 1983) and 56.7 (Furnace Creek 1913); 10 more for the day's means of models",
        WMO_RECORDS,
        r"air_temperature",
        r"(2t|t2m|mx2t|mn2t|mx2t24|mn2t24|tas|tasmin|tasmax)|TA(_F|_F_MDS|_ERA|_F_DAY|_F_NIGHT)?(_\d+)*|"
        r"T_DAILY_(MAX|MIN|MEAN|AVG)|(2m|air)_temperature|.*_2m_temperature.*",
    ),
    Quantity(
        "dew-point temperature",
        "degC",
        -115.0,
        45.0,
        "thermometers are asked to measure -80 to 35; 35 is the most that was reported",
        "WMO-No. 8, Guide to Instruments and Methods of Observation, annex 1.A",
        r"dew_point_temperature",
        r"2d|d2m|(2m_)?dew_?point(_temperature)?|tdps",
    ),
    Quantity(
        "soil or surface temperature",
        "degC",
        -115.0,
        95.0,
        "satellites saw -110.9 (Antarctica 2016) and 80.8 (Lut desert 2018) of the surface",
        "Zhao et al. (2021), https://doi.org/10.1175/BAMS-D-20-0325.1",
        r"soil_temperature|surface_temperature",
        rf"stl[1-4]|skt|soil_temperature{_LAYER}|soil_temperature_level_[1-4]|skin_temperature|tsl|"
        r"TS(_F_MDS)?(_\d+)*|SOIL_TEMP_\d+_DAILY|SUR_TEMP_DAILY_(MAX|MIN|AVG)",
    ),
    Quantity(
        "precipitation, amount",
        "mm",
        -0.5,
        5000.0,
        "the most in four days was 4936 mm (Cratere Commerson 2007); below 0 by the packing of differences",
        WMO_RECORDS,
        r"precipitation_amount|thickness_of_(rainfall|precipitation)_amount|lwe_thickness_of_precipitation_amount",
        r"tp|lsp|cp|total_precipitation|P(_F|_ERA)?(_\d+)*|P_DAILY_CALC|precip(itation)?|rain(fall)?",
    ),
    Quantity(
        "precipitation, rate",
        "mm d-1",
        -1.0,
        12000.0,
        "the most in one hour was 305 mm (Holt 1947), 401 mm unofficially (Shangdi 1975)",
        WMO_RECORDS,
        r"precipitation_flux|rainfall_(flux|rate)|lwe_precipitation_rate|convective_precipitation_flux",
        r"tp|tprate|mtpr|avg_tprate|pr|P(_F|_ERA)?(_\d+)*|precip(itation)?(_rate)?|rain(fall)?",
    ),
    Quantity(
        "evaporation, amount",
        "mm",
        -250.0,
        250.0,
        "the net radiation of a day can evaporate some 20 mm; ECMWF counts evaporation negative",
        "Allen et al. (1998), FAO Irrigation and Drainage Paper 56; " + ECMWF_PARAMETERS,
        r"lwe_thickness_of_water_evaporation_amount|water_(potential_)?evaporation_amount|"
        r"water_evapotranspiration_amount",
        r"e|pev|evap|(total|potential)_evaporation|evapotranspiration|ET",
    ),
    Quantity(
        "evaporation, rate",
        "mm d-1",
        -250.0,
        250.0,
        "at the equivalent of 7000 W m-2 of latent heat",
        "Allen et al. (1998), FAO Irrigation and Drainage Paper 56; " + ECMWF_PARAMETERS,
        r"water_evap(otranspir)?ation_flux|lwe_water_evaporation_rate|water_potential_evaporation_flux",
        r"e|pev|mer|avg_ie|evspsbl|evap|ET",
    ),
    Quantity(
        "radiation",
        "W m-2",
        -800.0,
        2200.0,
        "the sun's constant times 1.5, and 100 W m-2 more, is the most that broken clouds can give",
        BSRN,
        r".*(shortwave|longwave|radiative)_flux.*",
        r"(SW|LW)_(IN|OUT)(_POT|_F|_F_MDS|_ERA|_JSB)*(_\d+)*|SW_DIF|NETRAD|"
        r"(msdwswrf|msnswrf|msdwlwrf|msnlwrf|rsds|rlds|rsus|rlus)|avg_s[dn][sl]wrf",
    ),
    Quantity(
        "radiation, sum of a day",
        "MJ m-2",
        -80.0,
        80.0,
        "no latitude has more than 50 above the atmosphere",
        "Allen et al. (1998), FAO Irrigation and Drainage Paper 56, Annex 2",
        r"(integral|surface).*(shortwave|longwave|radiative).*",
        r"ssrd|ssr|strd|str|SOLARAD_DAILY|surface_(net_)?(solar|thermal)_radiation(_downwards)?",
    ),
    Quantity(
        "turbulent or ground heat flux",
        "W m-2",
        -1200.0,
        2200.0,
        "not above what the sun brings",
        BSRN,
        r".*surface_(up|down)ward_(latent|sensible)_heat_flux.*|(up|down)ward_heat_flux_at_ground_level_in_soil",
        r"(LE|H|G)(_F_MDS|_CORR|_CORR_25|_CORR_75|_RANDUNC)?(_\d+)*|mslhf|msshf|hfls|hfss",
    ),
    Quantity(
        "air pressure at the surface",
        "hPa",
        300.0,
        1100.0,
        "about 330 on Mount Everest, 1084.8 reduced to sea level (Tosontsengel 2001)",
        WMO_RECORDS,
        r"(surface_)?air_pressure(_at_(mean_)?sea_level)?",
        r"sp|msl|ps|psl|PA(_F|_ERA)?(_\d+)*|(surface|mean_sea_level)_pressure",
    ),
    Quantity(
        "relative humidity",
        "percent",
        -1.0,
        200.0,
        "over ice models hold up to 170 in cold air, and packing leaves values a little below 0",
        "IFS Documentation CY41R2, part IV, chapter 7; " + ECMWF_PARAMETERS,
        r"relative_humidity",
        r"r|r2|hurs|hur|relative_humidity|RH(_\d+)*|RH_DAILY_(MAX|MIN|AVG)",
    ),
    Quantity(
        "specific humidity",
        "kg kg-1",
        -0.001,
        0.08,
        "saturated air of 45 degC holds 0.065; spectral models go a little below 0",
        "IFS Documentation CY41R2, part IV, Eq. 7.5; " + ECMWF_PARAMETERS,
        r"specific_humidity|humidity_mixing_ratio",
        r"q|huss|hus|q2m|sh2|specific_humidity",
    ),
    Quantity(
        "vapour pressure deficit",
        "hPa",
        -1.0,
        260.0,
        "the saturation pressure at the 65 degC that air may have",
        "IFS Documentation CY41R2, part IV, Eq. 7.5",
        r"water_vapor_saturation_deficit_in_air",
        r"VPD(_F|_F_MDS|_ERA)?(_\d+)*|vpd",
    ),
    Quantity(
        "wind",
        "m s-1",
        -150.0,
        150.0,
        "the strongest gust was 113.3 (Barrow Island 1996), the jet stream is some 140",
        WMO_RECORDS,
        r"((eastward|northward|x|y)_wind|wind_speed(_of_gust)?)",
        r"u10|v10|10u|10v|si10|10si|ws10|WS(_F|_ERA)?(_\d+)*|WIND_\d+_DAILY|sfcwind|uas|vas|wind_?speed|USTAR(_\d+)*",
    ),
    Quantity(
        "convective available potential energy",
        "J kg-1",
        0.0,
        15000.0,
        "a parcel would rise at 170 m s-1, the square root of twice the energy",
        ECMWF_PARAMETERS,
        r"atmosphere_convective_available_potential_energy.*",
        r"cape|mucape|mlcape|convective_available_potential_energy",
    ),
    Quantity(
        "geopotential",
        "m2 s-2",
        -10000.0,
        1000000.0,
        "from below the Dead Sea to 100 km",
        ECMWF_PARAMETERS,
        r"geopotential",
        r"z|z\d{2,4}|geopotential(_\d+)?",
    ),
    Quantity(
        "geopotential height of 500 hPa",
        "m",
        4000.0,
        6500.0,
        "analyses lie between 4500 and 6100",
        ECMWF_PARAMETERS,
        names=r"z500|gh500|zg500|geopotential_height_500",
    ),
    Quantity(
        "temperature",
        "degC",
        -150.0,
        100.0,
        "the widest limits of any temperature of air, soil and surface",
        "known by its units only",
    ),
)
BY_NAME = {quantity.name: quantity for quantity in QUANTITIES}

# Dimension, factor and offset to its first unit: what files carry, so that most calls need no unit parser.
_COMMON = {
    "degC": ("temperature", 1.0, 0.0),
    "K": ("temperature", 1.0, -273.15),
    "m3 m-3": ("share", 1.0, 0.0),
    "1": ("share", 1.0, 0.0),
    "percent": ("share", 0.01, 0.0),
    "kg kg-1": ("share of mass", 1.0, 0.0),
    "g kg-1": ("share of mass", 0.001, 0.0),
    "mm": ("water", 1.0, 0.0),
    "m": ("water", 1000.0, 0.0),
    "cm": ("water", 10.0, 0.0),
    "kg m-2": ("water", 1.0, 0.0),
    "mm d-1": ("water rate", 1.0, 0.0),
    "m d-1": ("water rate", 1000.0, 0.0),
    "mm s-1": ("water rate", 86400.0, 0.0),
    "kg m-2 s-1": ("water rate", 86400.0, 0.0),
    "kg m-2 d-1": ("water rate", 1.0, 0.0),
    "W m-2": ("flux", 1.0, 0.0),
    "J m-2": ("radiant exposure", 1e-6, 0.0),
    "MJ m-2": ("radiant exposure", 1.0, 0.0),
    "hPa": ("pressure", 1.0, 0.0),
    "Pa": ("pressure", 0.01, 0.0),
    "kPa": ("pressure", 10.0, 0.0),
    "m s-1": ("speed", 1.0, 0.0),
    "km h-1": ("speed", 1 / 3.6, 0.0),
    "J kg-1": ("specific energy", 1.0, 0.0),
    "m2 s-2": ("specific energy", 1.0, 0.0),
}
_SPELLED = {
    "%": "percent",
    "(0 - 1)": "1",
    "dimensionless": "1",
    "fraction": "1",
    "cm3 cm-3": "m3 m-3",
    "mm3 mm-3": "m3 m-3",
    "mm mm-1": "m3 m-3",
    "m of water equivalent": "m",
    "mm of water equivalent": "mm",
    "gpm": "m",
    "mbar": "hPa",
    "mb": "hPa",
    "millibars": "hPa",
    "meters": "m",
    "metre": "m",
    **dict.fromkeys(("kelvin", "Kelvin", "kelvins", "degK", "deg_K"), "K"),
    **dict.fromkeys(("celsius", "Celsius", "deg C", "deg_C", "degree C", "degrees C", "degrees_C", "C", "°C"), "degC"),
    **dict.fromkeys(("degree_Celsius", "degree Celsius", "degrees Celsius", "degrees_Celsius"), "degC"),
    **dict.fromkeys(("mm day-1", "mm/day", "mm/d", "mm d^-1"), "mm d-1"),
    **dict.fromkeys(("m/s", "meters per second"), "m s-1"),
}
_CODE = re.compile(r"\s*(\*\*|\^)\s*")
# Units that alone tell a temperature, where no name does.
_TEMPERATURE = re.compile(r"^[KCF]$|deg.*[CFK]|kelvin|celsius|fahrenheit", re.IGNORECASE)
_ANOMALY = re.compile(r"anomal|standardi[sz]ed|z-?score|departure|normali[sz]ed|difference|tendency", re.IGNORECASE)


def recognise(da: xr.DataArray, unit: str, role: str | None) -> tuple[Quantity, tuple[float, float]] | None:
    """The quantity of an array and its limits in the array's units: by role, then by name, then by units."""
    if role != "percentile" and _is_anomaly(da):
        return None
    # A number without a unit may be a share or a standardised index: only its own name can tell.
    if role is not None and common_spelling(unit) != "1" and (bounds := bounds_in(role, unit)) is not None:
        return BY_NAME[role], bounds
    spelled = (da.name, da.attrs.get("GRIB_shortName"), da.attrs.get("original_name"))
    names = tuple(name for name in spelled if isinstance(name, str))
    if result := _by_name(names, str(da.attrs.get("standard_name", "")), unit):
        return result
    if _TEMPERATURE.search(common_spelling(unit)) and (bounds := bounds_in("temperature", unit)) is not None:
        return BY_NAME["temperature"], bounds
    return None


def _is_anomaly(da: xr.DataArray) -> bool:
    """Whether the words around an array say that it is a difference, which has no physical limits."""
    words = (da.name, *(da.attrs.get(key) for key in ("long_name", "standard_name", "units", "cell_methods")))
    return any(_ANOMALY.search(str(word)) or str(word).startswith("delta_") for word in words if word is not None)


@cache
def _by_name(names: tuple[str, ...], standard_name: str, unit: str) -> tuple[Quantity, tuple[float, float]] | None:
    """The first quantity of the table that a name fits and whose units can become `unit`; narrow ones first."""
    fits = []
    for quantity in QUANTITIES:
        by_standard = quantity.standard_names and re.fullmatch(quantity.standard_names, standard_name)
        by_name = quantity.names and any(re.fullmatch(quantity.names, name, re.IGNORECASE) for name in names)
        if (by_standard or by_name) and (bounds := bounds_in(quantity.name, unit)) is not None:
            fits.append((not by_standard, quantity, bounds))
    if not fits:
        return None
    _, quantity, bounds = min(fits, key=lambda fit: fit[0])
    return quantity, bounds


def same_dimension(unit: str, quantity: str) -> list[str]:
    """Other units in which a variable may be meant, the common ones of its dimension."""
    own = common_spelling(unit)
    dimension = _COMMON[own if own in _COMMON else BY_NAME[quantity].units][0]
    return [other for other, (known, *_) in _COMMON.items() if known == dimension and other != own]


def common_spelling(unit: str) -> str:
    """The spelling of the table for a unit text, the text itself where there is none."""
    text = _CODE.sub("", unit.strip())
    return _SPELLED.get(text, text)


@cache
def bounds_in(quantity: str, unit: str) -> tuple[float, float] | None:
    """Limits of a quantity in other units; None where these are units of something else."""
    entry = BY_NAME[quantity]
    scale = _scale(entry.units, unit)
    if scale is None:
        return None
    low, high = (factor * scale[0] + scale[1] for factor in (entry.lower, entry.upper))
    return (low, high) if low < high else (high, low)


@cache
def _scale(source: str, target: str) -> tuple[float, float] | None:
    """Factor and offset from one unit to another; None where they are not of one dimension."""
    first, second = _COMMON.get(common_spelling(source)), _COMMON.get(common_spelling(target))
    if first is None or second is None:
        return _scale_by_parser(source, target)
    if first[0] != second[0]:
        return None
    return first[1] / second[1], (first[2] - second[2]) / second[1]


def _scale_by_parser(source: str, target: str) -> tuple[float, float] | None:
    """As `_scale`, for spellings that the table lacks; a depth of water may be written as a mass on an area."""
    known = _COMMON.get(common_spelling(source))
    starts = [source] if known is None else [unit for unit, (kind, *_) in _COMMON.items() if kind == known[0]]
    for start in starts:
        try:
            ends = units.convert(xr.DataArray([0.0, 1.0], attrs={"units": start}), target).values
        except ValueError:
            continue
        factor, offset = (1.0, 0.0) if known is None else _scale(source, start) or (1.0, 0.0)
        step = float(ends[1] - ends[0])
        return factor * step, offset * step + float(ends[0])
    return None
