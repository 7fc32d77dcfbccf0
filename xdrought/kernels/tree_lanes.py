"""Eight neighbour searches in one vector register: the inner loop of the tree search, which numba leaves scalar."""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 8
WORD = 8  # bytes: arrays are aligned to their numbers, not to the register
INFINITE = int(np.array(np.inf).view(np.int64))
FLOATS, INTS = ir.VectorType(ir.DoubleType(), LANES), ir.VectorType(ir.IntType(64), LANES)


@intrinsic
def offer_points(typingctx, queries, points, days, start, stop, mask, query_days, radius, best):
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
