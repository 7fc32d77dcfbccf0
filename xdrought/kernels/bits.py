"""Days of a series as bits, 64 to a word: a comparison marks 64 days, and what is looked for among them is a bit.

Numba has no words for this, so that a few instructions are written out for the compiler here.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from xdrought.kernels.compilation import by_numpy, inner

WORD = 64  # days
_NONE, _ONE = np.uint64(0), np.uint64(1)


def splat(builder, value, vector):
    """The same number in every lane of a vector type."""
    empty, places = ir.Constant(vector, ir.Undefined), ir.VectorType(ir.IntType(32), vector.count)
    one = builder.insert_element(empty, value, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(one, empty, ir.Constant(places, [0] * vector.count))


@intrinsic
def marks_below(context, keys, first, limit):
    """A word: which of the 64 keys from `first` on are below the limit."""

    def build(context, builder, signature, arguments):
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        many = ir.VectorType(context.get_value_type(keys.dtype), WORD)
        start = builder.bitcast(builder.gep(array.data, [arguments[1]]), many.as_pointer())
        values = builder.load(start, align=keys.dtype.bitwidth // 8)
        limits = splat(builder, context.cast(builder, arguments[2], types.int64, keys.dtype), many)
        return builder.bitcast(builder.icmp_signed("<", values, limits), ir.IntType(WORD))

    return types.uint64(keys, types.int64, types.int64), build


@by_numpy(marks_below)
def _(keys, first, limit):
    return np.packbits(keys[first : first + WORD] < limit, bitorder="little").view(np.uint64)[0]


@intrinsic
def n_marks(context, word):
    """Number of days marked in a word."""
    return types.int64(types.uint64), lambda context, builder, signature, arguments: builder.ctpop(arguments[0])


@by_numpy(n_marks)
def _(word):
    return int(word).bit_count()


@intrinsic
def first_mark(context, word):
    """The first day marked in a word, where there is one."""

    def build(context, builder, signature, arguments):
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), build


@by_numpy(first_mark)
def _(word):
    return (int(word) & -int(word)).bit_length() - 1


@intrinsic
def last_mark(context, word):
    """The last day marked in a word, where there is one."""

    def build(context, builder, signature, arguments):
        n_above = builder.ctlz(arguments[0], ir.Constant(ir.IntType(1), 1))
        return builder.sub(ir.Constant(ir.IntType(WORD), WORD - 1), n_above)

    return types.int64(types.uint64), build


@by_numpy(last_mark)
def _(word):
    return int(word).bit_length() - 1


@intrinsic
def before(context, t):
    """A word in which the days before day t of its 64 are marked."""

    def build(context, builder, signature, arguments):
        one, last = ir.Constant(ir.IntType(WORD), 1), ir.Constant(ir.IntType(WORD), WORD - 1)
        return builder.sub(builder.shl(one, builder.and_(arguments[0], last)), one)

    return types.uint64(types.int64), build


@by_numpy(before)
def _(t):
    return (_ONE << np.uint64(t & (WORD - 1))) - _ONE


@inner
def take_mark(word):
    """The first place marked in a word, where there is one, and the word without it."""
    return first_mark(word), word & (word - _ONE)


@inner
def next_day(days, t):
    """The first day marked from t on, or the one after the last word."""
    k = t // WORD
    if k >= days.size:
        return np.int64(WORD * days.size)
    word = days[k] & ~before(t)
    while word == _NONE:
        k += 1
        if k == days.size:
            return np.int64(WORD * k)
        word = days[k]
    return np.int64(WORD * k + first_mark(word))


@inner
def last_day(days, t):
    """The last day marked before t, or -1."""
    if t <= 0:
        return np.int64(-1)
    k = t // WORD
    word = days[k] & before(t) if k < days.size else _NONE
    while word == _NONE:
        k -= 1
        if k < 0:
            return np.int64(-1)
        word = days[k]
    return np.int64(WORD * k + last_mark(word))


@inner
def count_days(days, first, stop):
    """Number of days marked from `first` to before `stop`."""
    n = np.int64(0)
    for k in range(first // WORD, (stop + WORD - 1) // WORD):
        word = days[k]
        if k == first // WORD:
            word &= ~before(first)
        if k == stop // WORD:
            word &= before(stop)
        n += n_marks(word)
    return n


@inner
def mark_days(days, first, stop):
    """Mark the days from `first` to before `stop`."""
    for t in range(first, stop):
        days[t // WORD] |= _ONE << np.uint64(t & (WORD - 1))


@inner
def keep_runs(days, length):
    """Leave the marks of days from which `length` days in a row are marked."""
    have = np.int64(1)
    while have < length:
        step = have if 2 * have < length else length - have
        words, shift = step // WORD, np.uint64(step & (WORD - 1))
        for k in range(days.size):
            word = days[k + words] if k + words < days.size else _NONE
            later = days[k + words + 1] if k + words + 1 < days.size else _NONE
            if shift > _NONE:
                word = word >> shift | later << (np.uint64(WORD) - shift)
            days[k] &= word
        have += step


@intrinsic
def write_marked(context, numbers, first, marks, number):
    """Write a number into those of 64 bytes from `first` on that are marked in a word."""

    def build(context, builder, signature, arguments):
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        many = ir.VectorType(ir.IntType(8), WORD)
        start = builder.bitcast(builder.gep(array.data, [arguments[1]]), many.as_pointer())
        marked = builder.bitcast(arguments[2], ir.VectorType(ir.IntType(1), WORD))
        everywhere = splat(builder, arguments[3], many)
        builder.store(builder.select(marked, everywhere, builder.load(start, align=1)), start, align=1)
        return context.get_dummy_value()

    return types.void(numbers, types.int64, types.uint64, types.uint8), build


@by_numpy(write_marked)
def _(numbers, first, marks, number):
    marked = np.unpackbits(np.array([marks], np.uint64).view(np.uint8), bitorder="little").astype(bool)
    numbers[first : first + WORD][marked] = number
