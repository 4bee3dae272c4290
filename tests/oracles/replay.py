"""A whole stream of look-ups at once: caches one behind the other, and nothing else of a run."""

from __future__ import annotations

from typing import Any, Final

import numba
import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from sim.compiled import records as r
from sim.compiled import stores
from sim.compiled.jit import Address

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: So many look-ups ahead the row of a key is fetched: with many keys most of the time goes into waiting for memory.
_AHEAD: Final = 12


def _fetch(_context: Any, rows: Any, place: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        row = cgutils.get_item_pointer(
            context, builder, signature.args[0], array, [arguments[1]], wraparound=False, boundscheck=False
        )
        word, pointer = ir.IntType(32), ir.IntType(8).as_pointer()
        fetch = ir.FunctionType(ir.VoidType(), [pointer, word, word, word])
        told = [builder.bitcast(row, pointer), *(word(each) for each in (1, 3, 1))]  # to write, to keep, data
        builder.call(builder.module.declare_intrinsic("llvm.prefetch", [pointer], fetch), told)
        return context.get_dummy_value()

    return types.void(rows, types.intp), generate


#: Has the processor fetch a row that will be wanted soon: ``fetch(rows, place)``.
fetch = intrinsic(_fetch)


@numba.njit("void(int64, int64, int64, int64[::1], int64[::1], float64[::1])", cache=True, error_model="numpy")
def ask(world: Address, first: int, last: int, keys: Ints, sizes_bytes: Ints, at_seconds: Floats) -> None:
    """Ask the caches ``first`` to ``last`` for each key in turn until one has it; those that did not keep what the next
    one gave them. Sizes and times are by request."""
    slots = r.slots(world)
    for place in range(len(keys)):
        if place + _AHEAD < len(keys):
            fetch(slots, r.caches(world)[first].slots + keys[place + _AHEAD])
        key, now = keys[place], at_seconds[place]
        tier = first
        while tier <= last and not stores.lookup(world, tier, key, now):
            tier += 1
        while tier > first:
            tier -= 1
            stores.keep(world, tier, key, sizes_bytes[place], now)
