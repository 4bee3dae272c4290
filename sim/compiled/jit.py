"""How functions are compiled, and how they reach the arrays of the world.

A world is one array of addresses, so that a function takes one argument however many tables it needs, and a table can
be replaced by a larger one between two calls. `table` gives compiled code a view of one of them; it does not know the
table's length, so whoever adds rows keeps to the margins that `sim.compiled.world` holds free.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import numba
import numpy as np
import numpy.typing as npt
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

F = TypeVar("F", bound=Callable[..., Any])
#: One address for each table.
World = npt.NDArray[np.int64]
#: Rows of one table: ``rows[i].field`` reads and writes in compiled code.
Rows = Any

#: Length that a view claims to have.
_MANY: Final = 1 << 40


def compiled(function: F) -> F:
    """Compile ``function`` when it is first called; the code is kept for the next process."""
    kept: F = numba.njit(cache=True, error_model="numpy")(function)
    return kept


@intrinsic
def _pointer(_context: Any, _address: Any) -> Any:
    def generate(_target: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], cgutils.voidptr_t)

    return types.voidptr(types.int64), generate


def table(place: int, kind: npt.DTypeLike) -> Callable[[World], Rows]:
    """A compiled function that gives the rows of the world's table at ``place``."""

    def rows(world: World) -> Rows:
        return numba.carray(_pointer(world[place]), (_MANY,), kind)

    return compiled(rows)
