"""Geographical cross mapping: slow reference, direction, windows, surrogates, labels, laziness, refusals."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import xarray as xr

from tests.support import oracles_gccm as slow
from tests.support.helpers import raise_if_dask_computes, unchanged
from xdrought.causality import false_discovery_control, gccm
from xdrought.kernels import spatial_cross_map as kernel
from xdrought.kernels.spatial_cross_map import SpatialSettings

FORWARD, BACKWARD = "cause_to_effect", "effect_to_cause"


def grid(values, name=None, **dims) -> xr.DataArray:
    return xr.DataArray(values, dims=(*dims, "lat", "lon"), name=name)


def random_fields(seed=0, shape=(7, 8), gaps=0.1, whole=False) -> np.ndarray:
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 4, (2, *shape)).astype(float) if whole else rng.standard_normal((2, *shape))
    values[rng.random(values.shape) < gaps] = np.nan
    return values


def coupled_lattices(size=40, steps=100, seed=0) -> tuple[xr.DataArray, xr.DataArray]:
    """Chaotic logistic maps on a lattice whose neighbours mix a little; x drives y and not the reverse."""
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(0.3, 0.7, (2, size, size))
    for _ in range(steps):
        x, y = mixed(x * (3.8 - 3.8 * x)), mixed(y * (3.5 - 3.5 * y - 0.1 * x))
    return grid(x, "x"), grid(y, "y")


def mixed(field) -> np.ndarray:
    around = sum(np.roll(field, step, axis) for step, axis in itertools.product((1, -1), (0, 1))) / 4
    return 0.9 * field + 0.1 * around


# against the slow reference


@pytest.mark.parametrize(
    ("options", "whole"),
    [
        ({}, False),
        ({"embedding_dim": 1}, True),
        ({"embedding_dim": 2, "tau": 2, "neighbours": 5}, False),
        ({"exclusion_radius": 1}, True),
        ({"embedding_dim": 2, "periodic": True, "exclusion_radius": 2}, False),
    ],
)
def test_skill_equals_the_slow_reference(options, whole):
    x, y = random_fields(seed=1, whole=whole)
    found = gccm(grid(x, "x"), grid(y, "y"), **options)
    dim, tau = options.get("embedding_dim", 3), options.get("tau", 1)
    arguments = (dim, tau, options.get("neighbours", dim + 1), options.get("exclusion_radius", 0), None)
    for direction, (field, target) in {FORWARD: (y, x), BACKWARD: (x, y)}.items():
        rho, n = slow.skill(field, target, *arguments, options.get("periodic", False))
        assert found.rho.sel(direction=direction).item() == pytest.approx(rho, abs=1e-10)
        assert found.n_pairs.sel(direction=direction).item() == n


def test_rings_by_hand():
    field = np.arange(25.0).reshape(5, 5)
    assert kernel.ring_means(field, 1, periodic=False)[2, 2] == 12  # the eight cells around the middle
    assert kernel.ring_means(field, 1, periodic=False)[0, 0] == pytest.approx((1 + 5 + 6) / 3)
    assert kernel.ring_means(field, 1, periodic=True)[0, 0] == pytest.approx((1 + 5 + 6 + 4 + 9) / 5)
    field[1, 1] = np.nan
    assert kernel.ring_means(field, 1, periodic=False)[0, 0] == pytest.approx((1 + 5) / 2)
    np.testing.assert_array_equal(kernel.ring_means(field, 0, periodic=False), field)
    island = np.full((5, 5), np.nan)
    island[2, 2] = 1.0
    assert np.isnan(kernel.ring_means(island, 1, periodic=False)[2, 2])
    assert np.isnan(kernel.spatial_embed(island, 2, 1, periodic=False)).all()


def test_windows_are_squares_with_half_of_their_cells():
    valid = np.zeros((6, 9), bool)
    valid[:, :5] = True
    found = kernel.windows(4, valid, 100, np.random.default_rng(0))
    assert all(inside.sum() >= 8 for inside in found)
    assert len(found) == 3 * 4  # corners in rows 0 to 2, columns 0 to 3: at 3 half of the window is left
    assert len({inside.tobytes() for inside in found}) >= 3 * 2
    assert kernel.windows(7, valid, 5, np.random.default_rng(0)) == []


def test_mean_over_windows_equals_the_slow_reference():
    x, y = random_fields(seed=2)
    settings = SpatialSettings(dim=2, neighbours=3, window_sizes=(4,), samples=5, seed=3)
    valid = np.isfinite(kernel.spatial_embed(y, 2, 1, periodic=False)[..., 0]) & np.isfinite(x)
    inside = kernel.windows(4, valid, 5, np.random.default_rng(3))
    expected = [slow.skill(y, x, 2, 1, 3, inside=one)[0] for one in inside]
    found = kernel.cross_map_field(y, x[None], settings)
    np.testing.assert_allclose(found.rho[0, 0], expected, atol=1e-10)
    labelled = gccm(
        grid(x, "x"), grid(y, "y"), embedding_dim=2, library_size=4, library_samples=5, seed=3, direction=FORWARD
    )
    assert labelled.rho.item() == pytest.approx(np.mean(expected))
    assert labelled.rho_lower.item() == pytest.approx(np.quantile(expected, 0.025))


# what it finds


def test_direction_on_coupled_lattices():
    x, y = coupled_lattices()
    found = gccm(x, y, library_size=[6, 15, 40], library_samples=10)
    forward, backward = (found.sel(direction=d) for d in (FORWARD, BACKWARD))
    assert forward.rho.sel(library_size=40) > backward.rho.sel(library_size=40) + 0.1
    assert forward.kendall_tau == 1
    assert forward.convergence > 0.02
    assert forward.fisher_p_value < 0.05


def smooth(rng, shape=(20, 24)) -> np.ndarray:
    """A random field with a range of a few cells."""
    noise = np.fft.rfft2(rng.standard_normal((shape[0] * 2, shape[1] * 2)))
    ky, kx = np.fft.fftfreq(shape[0] * 2)[:, None], np.fft.rfftfreq(shape[1] * 2)[None]
    return np.fft.irfft2(noise * np.exp(-150 * (ky**2 + kx**2)))[: shape[0], : shape[1]]


def test_smooth_unrelated_fields_fool_the_raw_p_value_and_not_the_surrogates():
    rng = np.random.default_rng(0)
    pairs = np.array([[smooth(rng), smooth(rng)] for _ in range(40)])
    found = gccm(grid(pairs[:, 0], "x", case=40), grid(pairs[:, 1], "y", case=40), surrogates=39)
    assert ((found.p_value < 0.05) & (found.rho > 0)).mean() > 0.4
    assert ((found.surrogate_p_value <= 0.05).mean("case") <= 0.15).all()  # 6 of 40: 2 % chance at 5 %


def test_surrogates_find_a_real_driver_with_gaps():
    x, y = coupled_lattices(20)
    land = np.random.default_rng(0).random(x.shape) > 0.1
    found = gccm(x.where(land), y.where(land), embedding_dim=2, surrogates=39, direction=FORWARD)
    assert found.surrogate_p_value.item() == 1 / 40


def likeness(field, step) -> float:
    """Correlation of each cell with the one `step` columns further."""
    return np.corrcoef(field[..., :-step].ravel(), field[..., step:].ravel())[0, 1]


def test_field_surrogates_keep_the_smoothness_and_the_gaps():
    field = smooth(np.random.default_rng(1), (30, 40))
    copies = kernel.field_surrogates(field, 60, 0, periodic=False)
    for step in (1, 2, 4):
        assert likeness(copies, step) == pytest.approx(likeness(field, step), abs=0.1)
    alike = [np.corrcoef(copy.ravel(), field.ravel())[0, 1] for copy in copies]
    assert abs(np.mean(alike)) < 0.1
    np.testing.assert_array_equal(kernel.field_surrogates(field, 3, 0, periodic=False), copies[:3])
    field[3, 4] = np.nan
    assert (np.isnan(kernel.field_surrogates(field, 2, 0, periodic=True)).sum(axis=(1, 2)) == 1).all()


def test_surrogates_around_the_globe_join_at_the_edge_as_the_field_does():
    field = np.tile(np.cos(2 * np.pi * np.arange(24) / 24), (6, 1))
    copies = kernel.field_surrogates(field, 5, 0, periodic=True)
    np.testing.assert_allclose(np.abs(copies - np.roll(copies, 1, axis=-1)).max(), 2 * np.sin(np.pi / 24), rtol=0.02)


def test_a_plane_is_removed_on_request():
    row, column = np.indices((8, 9))
    noise = random_fields(shape=(8, 9), gaps=0.05)
    tilted = noise + 5 * row - 3 * column + 100
    np.testing.assert_allclose(kernel.remove_plane(tilted[0]), kernel.remove_plane(noise[0]), atol=1e-10)
    flat = gccm(grid(tilted[0], "x"), grid(tilted[1], "y"), detrend=True)
    assert (gccm(grid(tilted[0], "x"), grid(tilted[1], "y")).rho > flat.rho + 0.5).all()


# labels


def test_other_dimensions_and_several_causes():
    rng = np.random.default_rng(0)
    causes = xr.Dataset({n: grid(rng.random((3, 6, 7)), time=3) for n in ("t2m", "tp")})
    effect = grid(rng.random((3, 6, 7)), "sm", time=3)
    found = gccm(causes, effect, library_size=[5, 6], library_samples=3)
    assert found.rho.sizes == {"time": 3, "variable": 2, "direction": 2, "library_size": 2}
    assert found.convergence.dims == ("time", "variable", "direction")
    assert found["library_size"].attrs["units"] == "cells"
    for time, name in itertools.product(range(3), ("t2m", "tp")):
        one = gccm(causes[name].isel(time=time), effect.isel(time=time), library_size=[5, 6], library_samples=3)
        assert (one.cause.item(), one.effect.item()) == (name, "sm")
        mapped = found.isel(time=time).sel(variable=name, drop=True).drop_attrs()
        xr.testing.assert_allclose(mapped, one.drop_vars("cause").drop_attrs())
    assert all(found[name].attrs["long_name"] for name in found)
    assert found.attrs["source"].startswith("Gao")


def test_it_is_lazy_and_the_input_stays():
    rng = np.random.default_rng(0)
    x, y = (grid(rng.random((4, 6, 7)), name, time=4) for name in "xy")
    with unchanged(x, y):
        eager = gccm(x, y, surrogates=5)
    with raise_if_dask_computes():
        lazy = gccm(x.chunk(time=1), y.chunk(time=1), surrogates=5)
    xr.testing.assert_allclose(lazy.compute(), eager)


def test_longitudes_around_the_globe_are_joined():
    rng = np.random.default_rng(0)
    lon = np.arange(0, 360, 45.0)
    x, y = (grid(v, n).assign_coords(lon=lon) for v, n in zip(rng.random((2, 6, 8)), "xy", strict=True))
    assert gccm(x, y).attrs["periodic"] == 1
    turned = gccm(x.roll(lon=3), y.roll(lon=3))
    np.testing.assert_allclose(turned.rho, gccm(x, y).rho)
    assert gccm(x.isel(lon=slice(6)), y.isel(lon=slice(6))).attrs["periodic"] == 0


def test_constant_and_empty_fields_are_nan_with_a_count():
    x, y = random_fields(gaps=0)
    constant = gccm(grid(x * 0, "x"), grid(y, "y"), surrogates=3)
    assert np.isnan(constant.rho).all()
    assert np.isnan(constant.surrogate_p_value).all()
    assert constant.n_pairs.values.tolist() == [56, 0]  # compared with a constant; nothing to read from it
    empty = gccm(grid(x * np.nan, "x"), grid(y, "y"), surrogates=3)
    assert np.isnan(empty.rho).all()
    assert (empty.n_pairs == 0).all()


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"effect": np.zeros((3, 3))}, TypeError, "must be a DataArray, got ndarray"),
        ({"effect": grid(np.full((7, 8), "a"), "y")}, TypeError, "'y' has dtype <U1; cross mapping needs"),
        ({"effect": grid(np.zeros((7, 8)), "y").rename(lat="y")}, ValueError, "no dimension 'lat' in 'y'"),
        (
            {"effect": grid(np.zeros((7, 8)), "y").chunk(lat=2)},
            ValueError,
            "'lat' has 4 chunks; neighbours need the whole field",
        ),
        (
            {"effect": grid(np.zeros((7, 8)), "y").assign_coords(lat=[0, 1, 2, 3, 4, 5, 9])},
            ValueError,
            "the steps of 'lat' differ; rings need a regular grid",
        ),
        ({"effect": grid(np.zeros((6, 8)), "y")}, ValueError, "'x' .* along 'lat'"),
        ({"embedding_dim": 0}, ValueError, "embedding_dim=0; it must be a whole number, 1 or more"),
        ({"embedding_dim": 8}, ValueError, "the grid of 7 x 8 cells is too small for embedding_dim=8, tau=1"),
        ({"neighbours": 0}, ValueError, "neighbours=0; it must be"),
        ({"exclusion_radius": -1}, ValueError, "exclusion_radius=-1; it must be"),
        ({"library_size": 9}, ValueError, "library_size=9; sides of windows are whole numbers from 4 to"),
        ({"library_size": 2}, ValueError, "library_size=2; sides of windows are whole numbers from 4 to"),
        ({"library_size": 5, "library_samples": 0}, ValueError, "library_samples=0; it must be"),
        ({"surrogates": -1}, ValueError, "surrogates=-1; it must be"),
        ({"direction": "up"}, ValueError, "direction='up' is unknown; choose one of"),
        (
            {"cause": grid(np.zeros((2, 7, 8)), "x", direction=2)},
            ValueError,
            r"the input has dimensions \['direction'\], which the result needs",
        ),
    ],
)
def test_wrong_input_is_refused(change, error, text):
    x, y = random_fields()
    with pytest.raises(error, match=text):
        gccm(**({"cause": grid(x, "x"), "effect": grid(y, "y")} | change))


def test_p_values_of_fields_are_adjusted_on_request():
    rng = np.random.default_rng(0)
    fields = {name: xr.DataArray(rng.random((12, 14)), dims=("lat", "lon")) for name in ("a", "b", "c")}
    found = gccm(fields, fields["a"] + fields["b"], fdr="holm", fdr_dim="variable")
    expected = false_discovery_control(found.p_value, dim="variable", fdr="holm")
    np.testing.assert_array_equal(found.p_value_adjusted, expected)
    assert "p_value_adjusted" not in gccm(fields, fields["a"])
