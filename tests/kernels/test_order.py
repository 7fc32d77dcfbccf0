"""Are values as whole numbers ordered as the values are, and does counting find what a sort finds?"""

from __future__ import annotations

import numpy as np
import pytest

from xdrought.kernels import compilation, order

KINDS = ("walk", "ties", "constant", "outlier", "far apart", "signed zeros", "close")


def _values(kind, dtype, n, seed):
    rng = np.random.default_rng(seed)
    walk = rng.standard_normal(n).cumsum()
    made = {
        "walk": walk,
        "ties": walk.round(),
        "constant": np.full(n, -3.0),
        "outlier": np.where(np.arange(n) == n // 2, 1e9, walk),
        "far apart": np.sign(walk) * np.exp(5 * np.abs(walk).clip(max=12)),
        "signed zeros": walk.round() * rng.choice([-1.0, 1.0], n) * (rng.random(n) < 0.5),
        "close": 1 + 1e-13 * walk,
    }
    return made[kind].astype(dtype)


def _keys(values, n_padded, find=compilation.interpreted):
    """The keys of a series, and how many there are, the lowest and the highest."""
    missing = order.missing_key(values.dtype)
    bits = order.as_bits(values)
    keys = np.full((1, n_padded), missing, bits.dtype)
    n, ranges = np.empty(1, np.int32), np.empty((1, 2), np.int64)
    find(order.make_keys)(bits[None], missing, order.magnitude_bits(values.dtype), keys, n, ranges)
    return keys[0], (int(n[0]), *ranges[0].tolist())


def _room(keys):
    return np.empty(keys.size // 64, np.uint64), np.empty(keys.size, keys.dtype)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_keys_are_ordered_as_their_values(dtype):
    values = np.array([-np.inf, -1e30, -2.5, -1e-40, -0.0, 0.0, 1e-40, 2.5, 1e30, np.inf, np.nan, -np.nan], dtype)
    keys, (n, low, high) = _keys(values, values.size)
    compiled, found = _keys(values, values.size, lambda kernel: kernel)
    assert (compiled.tolist(), found) == (keys.tolist(), (n, low, high))
    assert (np.diff(keys[1:9]) >= 0).all()
    assert keys[4] == keys[5]
    assert (keys[[0, 9, 10, 11]] == order.missing_key(np.dtype(dtype))).all()
    assert (n, low, high) == (8, keys[1], keys[8])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_the_key_at_a_percentile_is_that_of_the_sorted_values(dtype, kind):
    key_around = compilation.interpreted(order.key_around)
    for n in (2, 7, 120, 500):
        keys, (_, low, high) = _keys(_values(kind, dtype, n, n), 512)
        in_order = np.sort(keys[:n])
        for position in {0, n // 5, n // 2, n - 1}:
            threshold = 100 * (position + 0.75) / n  # behind it, at 100 (position + 0.5) / n, and before the next
            for guess in (0, int(in_order[n // 3])):
                key, side, n_below = key_around(threshold, n, 50, 0, keys, low, 0, high + 1, guess, *_room(keys))
                n_to = (keys <= key).sum()
                assert key in in_order[max(position - 1, 0) : position + 1]  # a rounded threshold may fall before it
                assert n_below == (keys < key).sum()
                assert side == np.sign(50 * (n_below + n_to) / n - threshold)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_ranks_from_sorted_packed_keys(dtype, kind):
    keys, (_, low, high) = _keys(_values(kind, dtype, 90, 3), 90)
    packed, ranks = np.empty(90, np.uint32), np.empty(90, np.int32)
    compilation.interpreted(order.pack)(keys, low, high + 1, packed)
    packed.sort()
    compilation.interpreted(order.twice_ranks)(keys, packed, ranks)
    expected = [(keys < key).sum() + (keys <= key).sum() + 1 for key in keys]
    assert ranks.tolist() == expected
    assert [compilation.interpreted(order.twice_rank)(key, keys) for key in keys] == expected


def test_keys_between_two_are_those_of_a_mask():
    keys, _ = _keys(_values("ties", "f4", 100, 1), 128)
    first, stop = np.sort(keys[:100])[[30, 60]]
    days, chosen = _room(keys)
    compilation.interpreted(order.mark_between)(first, stop, keys, days)
    n = compilation.interpreted(order.choose_keys)(days, keys, chosen)
    assert chosen[:n].tolist() == keys[(keys >= first) & (keys < stop)].tolist()


def test_the_key_at_a_percentile_beside_it_and_before_it():
    key_around = compilation.interpreted(order.key_around)
    keys, (_, low, high) = _keys(np.arange(5, dtype="f4"), 64)  # percentiles 0, 25, 50, 75 and 100
    for threshold, expected in ((50.0, (keys[2], 0, 2)), (49.0, (keys[1], -1, 1)), (100.0, (keys[4], 0, 4))):
        assert key_around(threshold, 5, 100, -100, keys, low, 0, high + 1, 0, *_room(keys)) == expected
    keys, (_, low, high) = _keys(np.array([1, 1, 1, 2, 3], "f4"), 64)  # the equal ones are the 25th percentile
    assert key_around(20.0, 5, 100, -100, keys, low, 0, high + 1, 0, *_room(keys)) == (keys[0], 1, 0)
