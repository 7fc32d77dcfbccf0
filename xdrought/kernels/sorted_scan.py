"""Compiled search for the nearest delay vectors among vectors in the order of the sum of their coordinates.

Neighbours in time are alike, so the sum spreads the vectors of a record most. Two vectors whose sums differ by s are at
least s / sqrt(E) apart: a scan to both sides of a vector ends where that is more than its last neighbour's distance.
Eight vectors in a row are scanned together, one in each lane of a register.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 8
WORD = 8  # bytes: arrays are aligned to their numbers, not to the register
FLOATS, INTS = ir.VectorType(ir.DoubleType(), LANES), ir.VectorType(ir.IntType(64), LANES)


@njit(cache=True, nogil=True, error_model="numpy")
def order_by_sum(sums: np.ndarray, n: int, order: np.ndarray, room: np.ndarray) -> float:
    """Order the first `n` of `sums` to within a step that is given back, by counting; `order` gets their numbers.

    `room` (at least 2 n) of int64 is to work in. The step is negative where the sums do not differ.
    """
    low, high = np.inf, -np.inf
    for at in range(n):
        low, high = min(low, sums[at]), max(high, sums[at])
    steps = room.size // 2
    if not 0.0 < high - low < np.inf:
        return -1.0
    per_sum = (steps - 1) / (high - low)
    start, step = room[:steps], room[steps:]
    start[:] = 0
    for at in range(n):
        step[at] = np.int64((sums[at] - low) * per_sum)
        start[step[at]] += 1
    before = 0
    for here in range(steps):
        count = start[here]
        start[here] = before
        before += count
    for at in range(n):
        order[start[step[at]]] = at
        start[step[at]] += 1
    return (1 + 1e-9) / per_sum


@intrinsic
def offer(typingctx, queries, first, query_days, points, point_days, start, stop, span, mask, best):
    """Offer the points `start` to `stop` to eight queries, each of which keeps its nearest.

    Parameters
    ----------
    queries, points : tuple of ndarray, one for each coordinate
        The queries are those from number `first` on.
    query_days, point_days : ndarray of int64
        A point is not for a query if its day is from the query's to `span` days later.
    start, stop, span, mask : int64
        With a `span` below 0 every point is for every query. `mask` clears the lowest bits of a key, enough of them for
        any point's number.
    best : tuple of ndarray (8,)
        Keys in ascending order, changed here: a squared distance whose lowest bits are the point's number.
    """

    def codegen(context, builder, signature, args):
        def arrays(number):
            kind = signature.args[number]
            if not isinstance(kind, types.BaseTuple):
                return context.make_array(kind)(context, builder, args[number])
            each = cgutils.unpack_tuple(builder, args[number])
            return [context.make_array(kind.dtype)(context, builder, one) for one in each]

        queries, query_days, points, point_days, best = (arrays(number) for number in (0, 2, 3, 4, 9))
        first, start, stop, span, mask = (args[number] for number in (1, 5, 6, 7, 8))

        def eight(array, kind, at=None):
            place = array.data if at is None else builder.gep(array.data, [at])
            return builder.bitcast(place, ir.PointerType(kind))

        asking = [builder.load(eight(array, FLOATS, first), typ=FLOATS, align=WORD) for array in queries]
        begin = builder.load(eight(query_days, INTS, first), typ=INTS, align=WORD)
        end, kept = _splat(builder, span, INTS), _splat(builder, mask, INTS)
        infinite = ir.Constant(FLOATS, [np.inf] * LANES)
        held = []  # registers, while the loop runs
        for array in best:
            place = cgutils.alloca_once(builder, FLOATS)
            builder.store(builder.load(eight(array, FLOATS), typ=FLOATS, align=WORD), place)
            held.append(place)

        def loop(looks_at_days):
            with cgutils.for_range_slice(builder, start, stop, context.get_constant(types.intp, 1)) as (at, _):
                square = None
                for mine, array in zip(asking, points, strict=True):
                    value = builder.load(builder.gep(array.data, [at]))
                    gap = builder.fsub(mine, _splat(builder, value, FLOATS))
                    part = builder.fmul(gap, gap, flags=("contract",))
                    square = part if square is None else builder.fadd(square, part, flags=("contract",))
                key = builder.and_(builder.bitcast(square, INTS), kept)
                key = builder.bitcast(builder.or_(key, _splat(builder, at, INTS)), FLOATS)
                if looks_at_days:
                    day = _splat(builder, builder.load(builder.gep(point_days.data, [at])), INTS)
                    inside = builder.icmp_unsigned("<=", builder.sub(day, begin), end)
                    key = builder.select(inside, infinite, key)
                for place in held:
                    mine = builder.load(place, typ=FLOATS)
                    smaller = builder.fcmp_ordered("<", key, mine)
                    builder.store(builder.select(smaller, key, mine), place)
                    key = builder.select(smaller, mine, key)

        every = builder.icmp_signed("<", span, context.get_constant(types.int64, 0))
        with builder.if_else(every) as (then, otherwise):
            with then:
                loop(looks_at_days=False)
            with otherwise:
                loop(looks_at_days=True)
        for array, place in zip(best, held, strict=True):
            builder.store(builder.load(place, typ=FLOATS), eight(array, FLOATS), align=WORD)
        return context.get_dummy_value()

    return types.void(queries, first, query_days, points, point_days, start, stop, span, mask, best), codegen


@intrinsic
def is_far(typingctx, sums, first, edge, sign, step, dim, last):
    """Whether no point beyond one whose sum is `edge` can be nearer to any of eight queries than its `last` key.

    `sums` are those of the queries, from number `first` on; `sign` is 1 where `edge` is below them and -1 above.
    Points beyond the edge may be nearer than it by a `step`.
    """

    def codegen(context, builder, signature, args):
        sums, last = (context.make_array(signature.args[k])(context, builder, args[k]) for k in (0, 6))
        place = builder.bitcast(builder.gep(sums.data, [args[1]]), ir.PointerType(FLOATS))
        mine = builder.load(place, typ=FLOATS, align=WORD)
        worst = builder.load(builder.bitcast(last.data, ir.PointerType(FLOATS)), typ=FLOATS, align=WORD)
        edge, sign, step, dim = (_splat(builder, args[k], FLOATS) for k in (2, 3, 4, 5))
        gap = builder.fsub(builder.fmul(builder.fsub(mine, edge), sign), step)
        beyond = builder.fcmp_ordered(">", builder.fmul(gap, gap), builder.fmul(worst, dim))
        beyond = builder.and_(beyond, builder.fcmp_ordered(">", gap, ir.Constant(FLOATS, [0.0] * LANES)))
        lanes = builder.bitcast(beyond, ir.IntType(LANES))
        return builder.icmp_unsigned("==", lanes, ir.Constant(ir.IntType(LANES), 2**LANES - 1))

    return types.boolean(sums, first, edge, sign, step, dim, last), codegen


def _splat(builder, value, kind):
    """The same number in every lane."""
    empty = ir.Constant(kind, ir.Undefined)
    one = builder.insert_element(empty, value, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(one, empty, ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES))


@njit(cache=True, nogil=True)
def scan(
    points: tuple,
    sums: np.ndarray,
    days: np.ndarray,
    begins: np.ndarray,
    n: int,
    first: int,
    radius: int,
    step: float,
    mask: int,
    best: tuple,
) -> None:
    """The nearest of the first `n` points to eight of them, from number `first` on, into `best`.

    Parameters
    ----------
    points : tuple of ndarray, one for each coordinate
    sums, days, begins : ndarray
        Of the points: sums, in order to within `step`; days; and the first days of their exclusion windows.
    """
    dim = len(points) * (1 + 1e-8)  # so far beyond the last that ties with it are seen
    last, span = best[len(best) - 1], 2 * radius
    for row in best:
        for lane in range(LANES):
            row[lane] = np.inf
    low, high = first, min(first + LANES, n)
    offer(points, first, begins, points, days, low, high, span, mask, best)  # type: ignore[call-arg]
    span = span if span > 0 else -1  # none but itself is left out, and that was among the first
    left, right = low > 0, high < n
    while left or right:
        if left:
            start = max(low - LANES, 0)
            offer(points, first, begins, points, days, start, low, span, mask, best)  # type: ignore[call-arg]
            low = start
            left = low > 0 and not is_far(sums, first, sums[low - 1], 1.0, step, dim, last)  # type: ignore[call-arg]
        if right:
            stop = min(high + LANES, n)
            offer(points, first, begins, points, days, high, stop, span, mask, best)  # type: ignore[call-arg]
            high = stop
            right = high < n and not is_far(sums, first, sums[high], -1.0, step, dim, last)  # type: ignore[call-arg]
