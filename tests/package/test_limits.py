"""Physical limits: what is refused, what is not, by which name it is known, and whether the cures work."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import xdrought
from tests.support.helpers import raise_if_dask_computes
from tests.support.refused_values import DAYS, follow, refusal, series
from xdrought import limits, quantities

# ---- which quantity an array is ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "units", "quantity"),
    [
        ("swvl1", "m**3 m**-3", "volumetric soil moisture"),
        ("SWC_F_MDS_1", "%", "volumetric soil moisture"),
        ("SOIL_MOISTURE_5_DAILY", "m3 m-3", "volumetric soil moisture"),
        ("t2m", "K", "air temperature"),
        ("TA_F", "degC", "air temperature"),
        ("T_DAILY_MAX", "degC", "air temperature"),
        ("d2m", "K", "dew-point temperature"),
        ("TS_F_MDS_1", "degC", "soil or surface temperature"),
        ("SUR_TEMP_DAILY_AVG", "degC", "soil or surface temperature"),
        ("tp", "m", "precipitation, amount"),
        ("tp", "kg m-2 s-1", "precipitation, rate"),
        ("P_F", "mm d-1", "precipitation, rate"),
        ("P_DAILY_CALC", "mm", "precipitation, amount"),
        ("e", "m of water equivalent", "evaporation, amount"),
        ("SW_IN_F", "W m-2", "radiation"),
        ("SOLARAD_DAILY", "MJ m-2", "radiation, sum of a day"),
        ("LE_F_MDS", "W m-2", "turbulent or ground heat flux"),
        ("sp", "Pa", "air pressure at the surface"),
        ("PA_F", "kPa", "air pressure at the surface"),
        ("r", "%", "relative humidity"),
        ("q", "kg kg**-1", "specific humidity"),
        ("VPD_F", "hPa", "vapour pressure deficit"),
        ("ws10", "m s**-1", "wind"),
        ("cape", "J kg**-1", "convective available potential energy"),
        ("z", "m**2 s**-2", "geopotential"),
        ("z500", "m", "geopotential height of 500 hPa"),
        ("drought_percentile", "percent", "percentile"),
        ("whatever", "K", "temperature"),
        ("whatever", "degF", "temperature"),
    ],
)
def test_names_and_units_tell_the_quantity(name, units, quantity):
    assert limits.limits_of(series([1.0], name, units)).quantity == quantity


@pytest.mark.parametrize(
    ("standard_name", "units", "quantity"),
    [
        ("volume_fraction_of_condensed_water_in_soil", "1", "volumetric soil moisture"),
        ("air_temperature", "K", "air temperature"),
        ("precipitation_flux", "kg m-2 s-1", "precipitation, rate"),
        ("surface_downwelling_shortwave_flux_in_air", "W m-2", "radiation"),
        ("surface_upward_latent_heat_flux", "W m-2", "turbulent or ground heat flux"),
        ("eastward_wind", "m s-1", "wind"),
    ],
)
def test_standard_names_tell_the_quantity(standard_name, units, quantity):
    assert limits.limits_of(series([1.0], "field", units, standard_name=standard_name)).quantity == quantity


def test_names_of_grib_and_of_the_source_tell_the_quantity():
    assert limits.limits_of(series([1.0], "var1", "K", GRIB_shortName="2t")).quantity == "air temperature"
    assert limits.limits_of(series([1.0], "warm", "degC", original_name="TS_F_MDS_1")).quantity == (
        "soil or surface temperature"
    )


@pytest.mark.parametrize(
    "da",
    [
        series([1.0], "swvl1"),  # no units: nothing to compare with
        series([1.0], "t2m", "K", long_name="anomaly of temperature"),
        series([1.0], "t2m", "delta_degC"),
        series([1.0], "e", "umol m-2 s-1"),  # a short name of something else
        series([1.0], "index", "1"),
        series([1.0], "x", "no such unit"),
    ],
)
def test_what_is_not_known_has_no_limits(da):
    assert limits.limits_of(da).quantity is None


def test_the_role_in_the_call_tells_what_a_name_does_not():
    assert limits.limits_of(series([1.0], "x", "%"), quantity="volumetric soil moisture").upper == pytest.approx(102)
    # A bare number may be a standardised index.
    assert limits.limits_of(series([1.0], "x", "1"), quantity="volumetric soil moisture").quantity is None


@pytest.mark.parametrize(
    ("units", "days"),
    [
        *((units, 1 / 86400) for units in ("kg/m2/s", "kg m^-2 s^-1", "kg.m-2.s-1", "kg/(m2 s)")),
        *((units, 1 / 24) for units in ("kg m-2 h-1", "mm/hr")),
        *((units, 1.0) for units in ("kg m**-2 day-1", "mm per day")),
    ],
)
def test_every_spelling_of_a_rate_of_water_has_the_limits_of_rain(units, days):
    known = limits.limits_of(series([10.0], "pr", units))
    assert known.quantity == "precipitation, rate"
    np.testing.assert_allclose([known.lower, known.upper], [-1.0 * days, 12000.0 * days])


@pytest.mark.parametrize(
    ("units", "lower", "upper"),
    [("K", 173.15, 338.15), ("degC", -100, 65), ("degF", -148, 149)],
)
def test_limits_come_in_the_units_of_the_array(units, lower, upper):
    found = limits.limits_of(series([1.0], "t2m", units))
    assert (found.lower, found.upper) == pytest.approx((lower, upper))


# ---- what is refused, each with its cure ---------------------------------------------------------------------------

MISTAKES = {
    "missing code": (series([20.0, -9999, 30, -9999], "SWC", "%"), "2 of -9999"),
    "two codes": (series([0.2, -9999, 0.3, -99], "swvl1", "m3 m-3"), "1 of -9999, 1 of -99"),
    "a decimal code": (series(np.float32([1.0, -9999.9, 3.0]), "x"), "1 of -9999.9"),
    "a positive code": (series([1.0, 9999.0, 3.0], "x"), "1 of 9999"),
    "a fill value": (series([1.0, 1e20, 3.0], "x"), r"1 of 1e\+20"),
    "fill of NetCDF": (series([1.0, 9.969209968386869e36, 3.0], "x"), r"9.969209968386869e\+36"),
    "ends of integers": (series([1.0, -32767.0, 3.0], "x"), "1 of -32767"),
    "many codes": (series([1.0, -999, -9999, -99999, -999999], "x"), "and 1 more"),
    "integers": (series([20, -9999, 30], "x"), "1 of -9999"),
    "declared": (series([1.0, 5.0, 3.0], "x", _FillValue=5.0), "1 of 5"),
    "declared in two": (series([1.0, 5.0, 7.0], "x", missing_value=[5.0, 7.0]), "1 of 5, 1 of 7"),
    "only codes": (series([-9999.0, -9999.0], "x"), "2 of -9999"),
    "Kelvin as degC": (series([290.0, 295.0], "t2m", "degC"), "fit 'K'"),
    "degC as K": (series([20.0, 25.0], "stl1", "K"), "fit 'degC'"),
    "per cent as a share": (series([20.0, 45.0], "swvl1", "m3 m-3"), "fit 'percent'"),
    "hPa as Pa": (series([1013.0, 990.0], "sp", "Pa"), "fit 'hPa'"),
    "mm as m": (series([12.0, 0.0], "tp", "m"), "fit 'mm'"),
    "a spike": (series([0.2, 7.0, 0.3], "swvl1", "m3 m-3"), "1 of 3 values outside"),
    "negative rain": (series([2.0, -3.0], "tp", "mm"), "-0.5 to 5000 mm, e.g. -3"),
    "soil colder than anything": (series([2.0, -300.0], "stl1", "degC"), "e.g. -300"),
}


@pytest.mark.parametrize("kind", MISTAKES)
def test_mistakes_are_refused_and_their_cure_works(kind):
    da, told = MISTAKES[kind]
    message = refusal(da)
    assert re.search(told, message), message
    assert repr(da.name) in message
    cured = follow(message, da)
    limits.check(cured)
    if "units" in message.split("da = ")[1][:30]:
        np.testing.assert_array_equal(cured, da)


@pytest.mark.parametrize(
    "da",
    [
        series([0.0, 0.31, 1.0038], "SWC_F_MDS_1", "m3 m-3"),  # AU-Fog, a wetland
        series([0.0, 31.0, 100.383], "SWC_F_MDS_1", "%"),
        series([-89.2, 56.7], "TA_F", "degC"),
        series([np.nan, np.nan], "swvl1", "m3 m-3"),
        series(np.zeros(0), "swvl1", "m3 m-3"),
        series(np.arange(-20, 20) * 5.0 + 1, "x"),  # -99 among its like
        series(np.arange(40) * 300.0 - 3.0, "x"),  # 9999 would lie among its like
        series([99.0, 99.0], "x"),  # a percentile, a count: too common to be a code
        series([99999.0, 100250.0], "sp", "Pa"),
        series([True, False], "flag"),
        series([1.0], "x", _FillValue="none"),
        series([1.0], "x", _FillValue=np.nan),
    ],
)
def test_what_is_possible_passes(da):
    xr.testing.assert_identical(limits.check(da), da)


@pytest.mark.parametrize("chunks", [None, 2])
def test_infinite_values_are_missing_ones(chunks):
    da = series([np.inf, 0.2, -np.inf], "swvl1", "m3 m-3")
    found = limits.check(da.chunk(chunks) if chunks else da)
    xr.testing.assert_identical(found.compute(), series([np.nan, 0.2, np.nan], "swvl1", "m3 m-3"))
    np.testing.assert_array_equal(da, [np.inf, 0.2, -np.inf])  # the caller's stay


@pytest.mark.parametrize("kind", ["float16", "longdouble", ">f8", ">f4", ">i4"])
def test_other_precisions_become_the_usual_ones(kind):
    da = series(np.array([1, 0, 1], kind), "x")
    found = limits.check(da)
    assert found.dtype.isnative
    assert found.dtype in ("float32", "float64", "int32")
    np.testing.assert_array_equal(found, da.astype("float64"))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.array(["a", "b"]), r"'x' has dtype <U1; expected numbers: make them numbers, da = da.astype\(float\)"),
        (np.array([1, 2], object), "'x' has dtype object; expected numbers"),
        (np.array([1j]), "'x' has dtype complex128; expected numbers: take its real part, da = da.real"),
    ],
)
def test_what_is_no_number_is_refused(values, words):
    with pytest.raises(TypeError, match=words):
        limits.check(series(values, "x"))


@pytest.mark.parametrize("where", ["attrs", "encoding"])
def test_packed_numbers_are_refused_and_decoding_cures(where):
    packed = series(np.array([100, 200], "int16"), "t2m", "K")
    getattr(packed, where).update({"scale_factor": 0.5, "add_offset": 200.0})
    with pytest.raises(ValueError, match=r"'t2m' holds packed numbers \(int16 with scale_factor=0.5, add_offset=200.0"):
        limits.check(packed)
    plain = packed.drop_attrs().drop_encoding()
    assert limits.check(plain) is plain
    if where == "attrs":
        np.testing.assert_array_equal(limits.check(xr.decode_cf(packed.to_dataset())["t2m"]), [250.0, 300.0])


def test_decoded_numbers_pass_although_their_encoding_remembers():
    decoded = series([250.0, 300.0], "t2m", "K")
    decoded.encoding.update({"scale_factor": 0.5, "add_offset": 200.0, "dtype": "int16"})
    assert limits.check(decoded) is decoded


def test_quantiles_are_not_percentiles_and_the_cure_works():
    quantiles = series(np.linspace(0, 1, 40), "p")
    message = refusal(quantiles, quantity="percentile")
    assert re.search(r"between 0 and 1: these are quantiles", message)
    assert "da = (100 * da).assign_attrs(units='percent')" in message
    limits.check((100 * quantiles).assign_attrs(units="percent"), quantity="percentile")
    limits.check(quantiles, quantity="percentile", scale=False)  # a few days alone may all be that dry


def test_fractions_of_the_volume_labelled_per_cent_are_refused_and_the_cure_works():
    fractions = series(np.linspace(0.05, 0.45, 40), "soil_moisture", "%")
    message = refusal(fractions)
    assert re.search(r"'soil_moisture' in % lies between 0.05 and 0.45: these are fractions of the volume", message)
    assert "da = da.assign_attrs(units='m3 m-3')" in message
    limits.check(fractions.assign_attrs(units="m3 m-3"))
    limits.check((100 * fractions).assign_attrs(units="%"))
    limits.check(fractions[: limits._FEW - 1])  # a few days alone may all be that dry
    limits.check(fractions, scale=False)


@pytest.mark.parametrize(
    "percentiles",
    [np.zeros(40), np.linspace(0, 100, 40), np.linspace(0, 1, limits._FEW - 1), np.arange(40) % 2.0],
)
def test_percentiles_that_happen_to_be_small_pass(percentiles):
    limits.check(series(percentiles, "p"), quantity="percentile")


def test_percentiles_have_limits():
    with pytest.raises(ValueError, match=r"1 of 2 values outside what percentile can be, 0 to 100 percent, e.g. 250"):
        limits.check(series([50.0, 250.0], "p"), quantity="percentile")


# ---- the option ----------------------------------------------------------------------------------------------------


def test_the_option_switches_the_check_off_inside_its_block_only():
    bad = series([0.3, 1.7], "swvl1", "m3 m-3")
    with xdrought.set_options(check_limits=False):
        assert limits.check(bad) is bad
    with pytest.raises(ValueError, match="outside what volumetric soil moisture can be"):
        limits.check(bad)


def test_the_option_called_alone_holds_until_it_is_set_again():
    bad = series([0.3, 1.7], "swvl1", "m3 m-3")
    xdrought.set_options(check_limits=False)
    try:
        limits.check(bad)
    finally:
        xdrought.set_options(check_limits=True)
    with pytest.raises(ValueError, match="outside"):
        limits.check(bad)


def test_the_option_is_true_or_false():
    with pytest.raises(TypeError, match="check_limits must be True or False, got 'ignore'"):
        xdrought.set_options(check_limits="ignore")


# ---- dask ----------------------------------------------------------------------------------------------------------


def test_dask_is_checked_inside_the_blocks_and_nothing_is_computed_before():
    good = series(np.linspace(0.1, 0.4, 40), "swvl1", "m3 m-3")
    bad = good.where(good.time != DAYS[33], -9999.0)
    with raise_if_dask_computes():
        lazy, wrong = (limits.check(da.chunk(time=10)) for da in (good, bad))
    xr.testing.assert_identical(lazy.compute(), good)
    with pytest.raises(ValueError, match="1 of -9999, among 10 values"):
        wrong.compute()
    assert limits.check(good.chunk(time=10)).data.name == lazy.data.name  # the same graph for the same call


def test_the_input_is_not_changed():
    da = series([0.1, 0.2], "swvl1", "m3 m-3")
    before = da.copy(deep=True)
    limits.check(da)
    xr.testing.assert_identical(da, before)


# ---- laws ----------------------------------------------------------------------------------------------------------

finite = st.floats(-1e6, 1e6, allow_nan=False).map(lambda value: round(value, 3))
records = st.lists(finite, min_size=1, max_size=30)


@given(values=records, seed=st.integers(0, 99), units=st.sampled_from(["m3 m-3", "degC", "K", None]))
def test_order_and_shape_and_gaps_change_no_verdict(values, seed, units):
    def verdict(array):
        found = xr.DataArray(array, name="swvl1" if units == "m3 m-3" else "t2m", attrs={"units": units})
        try:
            limits.check(found if units else found.drop_attrs())
        except ValueError as error:
            return re.sub(r"among \d+|of \d+ values", "", str(error)).split("e.g.")[0]
        return "fine"

    values = np.array(values)
    shuffled = np.random.default_rng(seed).permutation(values)
    with_gaps = np.append(shuffled, [np.nan, np.nan])
    assert verdict(values) == verdict(shuffled) == verdict(with_gaps) == verdict(values[:, None])


@given(values=st.lists(st.floats(-95, 60), min_size=1, max_size=20))
def test_units_change_no_verdict(values):
    celsius = xr.DataArray(np.array(values), name="t2m", attrs={"units": "degC"})
    limits.check(celsius)
    limits.check(xr.DataArray(celsius.values + 273.15, name="t2m", attrs={"units": "K"}))


def oracle(values: list[float], lower: float, upper: float) -> bool:
    """Slow and obvious: is any finite value outside?"""
    return any(value < lower or value > upper for value in values if np.isfinite(value))


@given(values=st.lists(st.floats(-3, 3) | st.just(np.nan) | st.just(np.inf), min_size=1, max_size=20))
def test_the_kernel_agrees_with_a_plain_loop(values):
    told = limits.Limits("x", "volumetric soil moisture", "m3 m-3", -0.02, 1.02)
    if oracle(values, -0.02, 1.02):
        with pytest.raises(ValueError, match="outside"):
            limits.check_values(np.array(values), told)
    else:
        limits.check_values(np.array(values), told)


def test_the_table_is_in_order():
    assert len(quantities.BY_NAME) == len(quantities.QUANTITIES)
    for quantity in quantities.QUANTITIES:
        assert quantity.lower < quantity.upper
        assert quantity.reason
        assert quantity.source
        assert quantities.bounds_in(quantity.name, quantity.units) == (quantity.lower, quantity.upper)


@pytest.mark.parametrize(
    "pair", [("K", "degF"), ("mm", "inch"), ("hPa", "atm"), ("m s-1", "knot"), ("W m-2", "kW m-2")]
)
def test_the_short_table_of_units_agrees_with_pint(pair):
    ureg = pytest.importorskip("pint").UnitRegistry(autoconvert_offset_to_baseunit=True)
    factor, offset = quantities._scale(*pair)
    for value in (0.0, 10.0):
        spelled = [{"degF": "degF", "W m-2": "W/m^2", "kW m-2": "kW/m^2", "m s-1": "m/s"}.get(u, u) for u in pair]
        assert value * factor + offset == pytest.approx(ureg.Quantity(value, spelled[0]).to(spelled[1]).magnitude)


def test_every_unit_of_the_short_table_agrees_with_pint():
    ureg = pytest.importorskip("pint").UnitRegistry(autoconvert_offset_to_baseunit=True)
    powers = re.compile(r"(?<=[A-Za-z])(?=-?\d)")
    first = {}
    for unit, (dimension, *_) in quantities._COMMON.items():
        base = first.setdefault(dimension, unit)
        if "kg m-2" in unit:
            continue  # a mass of water is its depth at 1000 kg m-3, which no unit parser knows
        factor, offset = quantities._scale(unit, base)
        source, target = (powers.sub("**", "dimensionless" if one == "1" else one) for one in (unit, base))
        expected = [ureg.Quantity(value, source).to(target).magnitude for value in (0.0, 1.0)]
        assert [offset, factor + offset] == pytest.approx(expected)


def test_the_page_of_the_documentation_is_the_table():
    root = Path(__file__).parents[2]
    script = runpy.run_path(str(root / "docs" / "studies" / "what_is_refused.py"))
    assert (root / "docs" / "_include" / "limits.md").read_text() == script["table"](), (
        "run docs/studies/what_is_refused.py"
    )
