"""Compiled search for the nearest delay vectors among vectors in columns.

Neighbours in time are alike, so the sum of the coordinates spreads the vectors of a record most, and their slope next.
The vectors are cut into columns by the sum, and lie in the order of the slope within each. Eight in a row are scanned
together, one in each lane of a register, and only those are looked at that are in neither direction further away than
the last neighbour found.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from xdrought.kernels.bits import splat
from xdrought.kernels.compilation import inner

LANES = 8
WORD = 8  # bytes: arrays are aligned to their numbers, not to the register
FLOATS, INTS = ir.VectorType(ir.DoubleType(), LANES), ir.VectorType(ir.IntType(64), LANES)


@inner
def directions(dim: int) -> tuple[np.ndarray, np.ndarray]:
    """Two unit vectors at right angles, across the columns and along them: those in which delay vectors spread most.

    These are the sum of the coordinates and their slope; a single coordinate lies along its only column.
    """
    if dim == 1:
        return np.zeros(1), np.ones(1)
    across, along, squares = np.empty(dim), np.empty(dim), 0.0
    for axis in range(dim):
        across[axis], along[axis] = dim**-0.5, axis - (dim - 1) / 2
        squares += along[axis] * along[axis]
    for axis in range(dim):
        along[axis] /= np.sqrt(squares)
    return across, along


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
    best : tuple of ndarray
        Keys of all queries, the nearest first, changed here for the eight: a squared distance whose lowest bits are the
        point's number.
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

        asking = [_eight(builder, array, first) for array in queries]
        begin = builder.bitcast(_eight(builder, query_days, first), INTS)
        end, kept = splat(builder, span, INTS), splat(builder, mask, INTS)
        infinite = ir.Constant(FLOATS, [np.inf] * LANES)
        held = []  # registers, while the loop runs
        for array in best:
            place = cgutils.alloca_once(builder, FLOATS)
            builder.store(_eight(builder, array, first), place)
            held.append(place)

        def loop(looks_at_days):
            with cgutils.for_range_slice(builder, start, stop, context.get_constant(types.intp, 1)) as (at, _):
                square = None
                for mine, array in zip(asking, points, strict=True):
                    value = builder.load(builder.gep(array.data, [at]))
                    gap = builder.fsub(mine, splat(builder, value, FLOATS))
                    part = builder.fmul(gap, gap, flags=("contract",))
                    square = part if square is None else builder.fadd(square, part, flags=("contract",))
                key = builder.and_(builder.bitcast(square, INTS), kept)
                key = builder.bitcast(builder.or_(key, splat(builder, at, INTS)), FLOATS)
                if looks_at_days:
                    day = splat(builder, builder.load(builder.gep(point_days.data, [at])), INTS)
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
            builder.store(builder.load(place, typ=FLOATS), _at(builder, array, first), align=WORD)
        return context.get_dummy_value()

    return types.void(queries, first, query_days, points, point_days, start, stop, span, mask, best), codegen


@intrinsic
def reach(typingctx, across, along, first, last):
    """The box in which points may be nearer to any of eight queries than its `last` key.

    `across` and `along` are the places of the queries, which begin at number `first`. The box is given by its lowest
    and highest place across, and then along.
    """

    def codegen(context, builder, signature, args):
        across, along, last = (context.make_array(signature.args[k])(context, builder, args[k]) for k in (0, 1, 3))

        def call(name, *values, gives=FLOATS, **options):
            kind = ir.FunctionType(gives, [FLOATS] * len(values))
            known = cgutils.get_or_insert_function(builder.module, kind, f"llvm.{name}.v{LANES}f64")
            return builder.call(known, values, **options)

        def of_all(name, values):
            return call(f"vector.reduce.{name}", values, gives=ir.DoubleType(), fastmath=("nnan",))

        # so far beyond the last that ties with it are seen
        square = builder.fmul(_eight(builder, last, args[2]), ir.Constant(FLOATS, [1 + 1e-8] * LANES))
        far, box = call("sqrt", square), []
        for places in (across, along):
            here = _eight(builder, places, args[2])
            box += [of_all("fmin", builder.fsub(here, far)), of_all("fmax", builder.fadd(here, far))]
        return context.make_tuple(builder, signature.return_type, box)

    return types.UniTuple(types.float64, 4)(across, along, first, last), codegen


@intrinsic
def count_below(typingctx, ordered, start, stop, value, other):
    """How many of those from number `start` to `stop` are below each of two values; both a multiple of eight apart."""

    def codegen(context, builder, signature, args):
        array = context.make_array(signature.args[0])(context, builder, args[0])
        values = [splat(builder, value, FLOATS) for value in args[3:]]
        word, mask = ir.IntType(64), ir.IntType(LANES)
        kept = [cgutils.alloca_once_value(builder, ir.Constant(word, 0)) for _ in values]
        with cgutils.for_range_slice(builder, args[1], args[2], context.get_constant(types.intp, LANES)) as (at, _):
            here = _eight(builder, array, at)
            for value, count in zip(values, kept, strict=True):
                below = builder.bitcast(builder.fcmp_ordered("<", here, value), mask)
                found = builder.ctpop(builder.zext(below, word))
                builder.store(builder.add(builder.load(count, typ=word), found), count)
        return context.make_tuple(builder, signature.return_type, [builder.load(count, typ=word) for count in kept])

    return types.UniTuple(types.int64, 2)(ordered, start, stop, value, other), codegen


def _at(builder, array, at):
    """Where eight numbers begin in an array of numbers of 64 bits."""
    return builder.bitcast(builder.gep(array.data, [at]), ir.PointerType(FLOATS))


def _eight(builder, array, at):
    """Eight numbers from number `at` on."""
    return builder.load(_at(builder, array, at), typ=FLOATS, align=WORD)


@inner
def scan(
    points: tuple,
    across: np.ndarray,
    along: np.ndarray,
    edges: np.ndarray,
    days: np.ndarray,
    begins: np.ndarray,
    n: int,
    width: int,
    radius: int,
    step: float,
    best: tuple,
) -> int:
    """The nearest of the first `n` points to each of them, into `best`; the mask of its keys that leaves the numbers.

    All but the last of them: that is one of those which tie with the last but one, where there are any.

    Parameters
    ----------
    points : tuple of ndarray, one for each coordinate
        In columns of `width` points, with copies of the last one up to the end of a column, and eight more.
    across, along : ndarray
        Their places across the columns, and along these, in order to within `step`.
    edges : ndarray (2, columns)
        The lowest and the highest place across of each column.
    days, begins : ndarray
        Days of the points, and the first days of their exclusion windows.
    """
    span, numbers, last, boxes = 2 * radius, 1, best[len(best) - 2], np.empty((n // LANES + 1, 4))
    while numbers < n:
        numbers *= 2
    mask = -numbers
    for keys in best:
        keys[: n + LANES] = np.inf
    for first in range(0, n, LANES):  # those beside it in its column: how far the others may be
        column = first // width * width
        start, stop = max(first - LANES, column), min(first + 2 * LANES, column + width, n)
        offer(points, first, begins, points, days, start, stop, span, mask, best)  # type: ignore[call-arg]
    for first in range(0, n, LANES):
        lowest, highest, bottom, top = reach(across, along, first, last)  # type: ignore[call-arg, var-annotated]
        box = boxes[first // LANES]
        box[0], box[1], box[2], box[3] = lowest, highest, bottom - step, top + step
    span = span if span > 0 else -1  # none but itself is left out, and that was among the first
    for first in range(0, n, LANES):
        box, column = boxes[first // LANES], first // width
        start = column * width
        below, within = count_below(along, start, start + width, box[2], box[3])  # type: ignore[call-arg, var-annotated]
        low, high = max(first - LANES, start), min(first + 2 * LANES, start + width, n)
        stop = min(start + within, n)
        offer(points, first, begins, points, days, start + below, low, span, mask, best)  # type: ignore[call-arg]
        offer(points, first, begins, points, days, high, stop, span, mask, best)  # type: ignore[call-arg]
        for side in (-1, 1):
            beside = column + side
            while 0 <= beside < edges.shape[1] and edges[0, beside] <= box[1] and edges[1, beside] >= box[0]:
                start = beside * width
                below, within = count_below(along, start, start + width, box[2], box[3])  # type: ignore[call-arg, var-annotated]
                stop = min(start + within, n)
                offer(points, first, begins, points, days, start + below, stop, span, mask, best)  # type: ignore[call-arg]
                beside += side
    return numbers - 1
