"""Compiled search for the nearest distinct delay vectors, eight days at a time."""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from xdrought.kernels.kdtree.tree import Groups, Tree, allowed_members, box_gap, start_at, start_leaf

LANES = 8
WORD = 8  # bytes: arrays are aligned to their numbers, not to the register
INFINITE = int(np.array(np.inf).view(np.int64))
FLOATS, INTS = ir.VectorType(ir.DoubleType(), LANES), ir.VectorType(ir.IntType(64), LANES)


@intrinsic
def push_candidates(typingctx, queries, points, days, start, stop, mask, query_days, radius, best):
    """Offer the points `start` to `stop` to eight queries, each of which keeps its nearest.

    Parameters
    ----------
    queries : ndarray (E, 8)
        Vectors of the queries.
    points : ndarray (m, E)
        Vectors on offer.
    days, query_days : ndarray (m,), (8,) of int64
        Points within `radius` days of a query are not for it.
    start, stop, mask, radius : int64
        `mask` clears the lowest bits of a key, enough of them for any point's number.
    best : ndarray (k, 8) of int64
        Keys in ascending order, changed here: the bits of a squared distance, the lowest of them replaced by the
        point's number. Positive floats are ordered as their bits are, so keys compare as integers.
    """

    def codegen(context, builder, signature, args):
        def data(number):
            return context.make_array(signature.args[number])(context, builder, args[number])

        queries, points, days, query_days, best = (data(number) for number in (0, 1, 2, 6, 8))
        start, stop, mask, radius = (args[number] for number in (3, 4, 5, 7))
        dim, k = (cgutils.unpack_tuple(builder, array.shape)[0] for array in (queries, best))

        def load(array, row, kind):
            return builder.load(_row(builder, array.data, row, kind), typ=kind, align=WORD)

        zero = context.get_constant(types.intp, 0)
        reach, backward = _splat(builder, radius, INTS), _splat(builder, builder.neg(radius), INTS)
        asking = load(query_days, zero, INTS)
        infinite = ir.Constant(INTS, [INFINITE] * LANES)
        with cgutils.for_range_slice(builder, start, stop, context.get_constant(types.intp, 1)) as (at, _):
            square = cgutils.alloca_once_value(builder, ir.Constant(FLOATS, [0.0] * LANES))
            builder.store(ir.Constant(FLOATS, [0.0] * LANES), square)
            with cgutils.for_range(builder, dim) as axis:
                place = builder.add(builder.mul(at, dim), axis.index)
                value = builder.load(builder.gep(points.data, [place]))
                gap = builder.fsub(load(queries, axis.index, FLOATS), _splat(builder, value, FLOATS))
                builder.store(builder.fadd(builder.load(square, typ=FLOATS), builder.fmul(gap, gap)), square)
            key = builder.bitcast(builder.load(square, typ=FLOATS), INTS)
            key = builder.or_(builder.and_(key, _splat(builder, mask, INTS)), _splat(builder, at, INTS))
            apart = builder.sub(asking, _splat(builder, builder.load(builder.gep(days.data, [at])), INTS))
            inside = builder.and_(builder.icmp_signed("<=", apart, reach), builder.icmp_signed(">=", apart, backward))
            key = builder.select(inside, infinite, key)
            worst = load(best, builder.sub(k, context.get_constant(types.intp, 1)), INTS)
            closer = builder.bitcast(builder.icmp_signed("<", key, worst), ir.IntType(LANES))
            with builder.if_then(builder.icmp_unsigned("!=", closer, ir.Constant(ir.IntType(LANES), 0))):
                carried = cgutils.alloca_once(builder, INTS)
                builder.store(key, carried)
                with cgutils.for_range(builder, k) as slot:
                    here = _row(builder, best.data, slot.index, INTS)
                    mine, other = builder.load(here, typ=INTS, align=WORD), builder.load(carried, typ=INTS)
                    smaller = builder.icmp_signed("<", mine, other)
                    builder.store(builder.select(smaller, mine, other), here, align=WORD)
                    builder.store(builder.select(smaller, other, mine), carried)
        return context.get_dummy_value()

    arguments = (queries, points, days, start, stop, mask, query_days, radius, best)
    return types.void(*arguments), codegen


def _row(builder, data, row, kind):
    """Pointer to eight numbers of a row."""
    first = builder.gep(data, [builder.mul(row, ir.Constant(row.type, LANES))])
    return builder.bitcast(first, ir.PointerType(kind))


def _splat(builder, value, kind):
    """The same number in every lane."""
    empty = ir.Constant(kind, ir.Undefined)
    one = builder.insert_element(empty, value, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(one, empty, ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES))


LONGEST = 20  # bits of a point's number that leave enough bits of its distance


@njit(cache=True, nogil=True)
def nearest_groups(
    tree: Tree, groups: Groups, vectors: np.ndarray, days: np.ndarray, radius: int, k: int, complete: bool
) -> tuple[np.ndarray, np.ndarray]:
    """The `k` nearest groups with a permitted member of each of `days`.

    Returns
    -------
    square, group : ndarray (days, k)
        Squared distances, ascending, and groups; inf and -1 where there are fewer. Of groups closer together than
        about 1e-10 (relative) any may be the last. When the whole library is there (`complete`), a day whose own
        vector occurs again has that group alone, since nothing further away has a weight; otherwise groups of
        several days are listed whether or not a member is permitted.
    """
    square, group = np.full((days.size, k), np.inf), np.full((days.size, k), -1)
    rows, leaves = _rows_to_search(tree, groups, vectors, days, radius, complete, square, group)
    key_bits = 1
    while (1 << key_bits) < tree.group.size:
        key_bits += 1
    if key_bits <= LONGEST:
        _search_eight(tree, vectors, days, rows, leaves, radius, key_bits, square, group)
    has_equal = complete and radius > 0 and groups.first.size < (groups.at >= 0).sum()
    for row in rows if has_equal or key_bits > LONGEST else rows[:0]:
        if key_bits > LONGEST or _wastes_a_slot(groups, days[row], radius, group[row]):
            _search_one(tree, groups, vectors[days[row]], days[row], radius, square[row], group[row])
    return square, group


@njit(cache=True, nogil=True)
def _rows_to_search(
    tree: Tree,
    groups: Groups,
    vectors: np.ndarray,
    days: np.ndarray,
    radius: int,
    complete: bool,
    square: np.ndarray,
    group: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Rows without a permitted day at no distance, leaf by leaf, and the leaf of every row; the others are answered."""
    leaves, start = np.full(days.size, -1), np.zeros(tree.bounds.size, np.int64)
    group_at, count, leaf_of = groups.at, groups.size, tree.leaf_of  # taken out once: each look costs a count
    for row in range(days.size):
        own = group_at[days[row]]
        if own < 0:
            leaves[row] = start_leaf(tree, groups, vectors[days[row]], days[row])
        elif not complete or count[own] == 1 or allowed_members(groups, own, days[row], radius) == 0:
            leaves[row] = leaf_of[own]
        else:
            square[row, 0], group[row, 0] = 0.0, own
            continue
        start[leaves[row] + 1] += 1
    start = np.cumsum(start)
    rows = np.empty(start[-1], np.int64)
    for row in range(days.size):
        if leaves[row] >= 0:
            rows[start[leaves[row]]] = row
            start[leaves[row]] += 1
    return rows, leaves


@njit(cache=True, nogil=True)
def _search_eight(
    tree: Tree,
    vectors: np.ndarray,
    days: np.ndarray,
    rows: np.ndarray,
    leaves: np.ndarray,
    radius: int,
    key_bits: int,
    square: np.ndarray,
    group: np.ndarray,
) -> None:
    """The nearest groups of `rows`; a group of several days counts as permitted, whatever the window."""
    dim, k, n_leaves = vectors.shape[1], square.shape[1], tree.bounds.size - 1
    points, point_day, point_group, bounds = tree.points, tree.day, tree.group, tree.bounds
    node_low, node_high = tree.low, tree.high
    number_mask = (1 << key_bits) - 1
    queries, query_days = np.empty((dim, LANES)), np.empty(LANES, np.int64)
    best, low, high = np.empty((k, LANES), np.int64), np.empty(dim), np.empty(dim)
    worst_key, stack = np.empty(1, np.int64), np.empty(128, np.int64)
    worst_square = worst_key.view(np.float64)
    for first in range(0, rows.size, LANES):
        n = min(LANES, rows.size - first)
        low[:], high[:] = np.inf, -np.inf
        for lane in range(LANES):
            query_days[lane] = days[rows[first + min(lane, n - 1)]]
            for axis in range(dim):
                here = vectors[query_days[lane], axis]
                queries[axis, lane] = here
                low[axis], high[axis] = min(low[axis], here), max(high[axis], here)
        best[:] = INFINITE
        worst_square[0] = np.inf
        top = start_at(n_leaves, leaves[rows[first + n // 2]], stack)
        while top > 0:
            top -= 1
            node, gap = stack[top], 0.0
            for axis in range(dim):
                side = max(node_low[node, axis] - high[axis], low[axis] - node_high[node, axis], 0.0)
                gap += side * side
            if gap > worst_square[0]:
                continue
            if node < n_leaves:
                stack[top], stack[top + 1] = 2 * node, 2 * node + 1
                top += 2
                continue
            start, stop = bounds[node - n_leaves], bounds[node - n_leaves + 1]
            push_candidates(queries, points, point_day, start, stop, ~number_mask, query_days, radius, best)  # type: ignore[call-arg]
            worst_key[0] = best[k - 1, 0]
            for lane in range(1, LANES):
                worst_key[0] = max(worst_key[0], best[k - 1, lane])
        for lane in range(n):
            row = rows[first + lane]
            for found in range(k):
                if best[found, lane] == INFINITE:
                    break
                at, here, slot = best[found, lane] & number_mask, 0.0, found
                for axis in range(dim):
                    side = points[at, axis] - queries[axis, lane]
                    here += side * side
                while slot > 0 and square[row, slot - 1] > here:  # keys closer than their last bits
                    square[row, slot], group[row, slot] = square[row, slot - 1], group[row, slot - 1]
                    slot -= 1
                square[row, slot], group[row, slot] = here, point_group[at]


@njit(cache=True, nogil=True)
def _square(tree: Tree, at: int, query: np.ndarray) -> float:
    total = 0.0
    for axis in range(query.size):
        gap = tree.points[at, axis] - query[axis]
        total += gap * gap
    return total


@njit(cache=True, nogil=True)
def _insert(square: np.ndarray, group: np.ndarray, here: float, which: int) -> None:
    """Put one more group in its place; the last falls out."""
    slot = square.size - 1
    while slot > 0 and square[slot - 1] > here:
        square[slot], group[slot] = square[slot - 1], group[slot - 1]
        slot -= 1
    square[slot], group[slot] = here, which


@njit(cache=True, nogil=True)
def _wastes_a_slot(groups: Groups, day: int, radius: int, group: np.ndarray) -> bool:
    """Whether the list holds a group with no member outside the exclusion window."""
    for which in group:
        if which >= 0 and groups.size[which] > 1 and allowed_members(groups, which, day, radius) == 0:
            return True
    return False


@njit(cache=True, nogil=True)
def _search_one(
    tree: Tree, groups: Groups, query: np.ndarray, day: int, radius: int, square: np.ndarray, group: np.ndarray
) -> None:
    """The nearest groups of one day, its exclusion window looked into."""
    n_leaves, k, stack = tree.bounds.size - 1, square.size, np.empty(128, np.int64)
    square[:], group[:] = np.inf, -1
    top = start_at(n_leaves, start_leaf(tree, groups, query, day), stack)
    while top > 0:
        top -= 1
        node = stack[top]
        if box_gap(tree, query, query, node) >= square[k - 1]:
            continue
        if node < n_leaves:
            stack[top], stack[top + 1] = 2 * node, 2 * node + 1
            top += 2
            continue
        for at in range(tree.bounds[node - n_leaves], tree.bounds[node - n_leaves + 1]):
            here = _square(tree, at, query)
            if here < square[k - 1] and allowed_members(groups, tree.group[at], day, radius) > 0:
                _insert(square, group, here, tree.group[at])
