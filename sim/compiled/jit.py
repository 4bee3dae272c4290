"""How functions are compiled, and how they reach the tables of a run.

Compiled functions take the address of a list of addresses, one for each table (`sim.compiled.memory.Memory`). So a
function takes one number however many tables it needs, no references are counted when the number is passed on (counting
references to arrays took more than half of the time), and a table can be replaced by a larger one between two calls.
`table` gives compiled code a view of one table. The view does not know the table's length, so code that adds rows
relies on the reserve of free rows that `Memory` keeps.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any, Final, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt
from numba import types
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array

from sim.compiled.kept import FOLDER, alone

# numba reads the environment when it is imported, which others may have done before `kept` set the folder
numba.config.CACHE_DIR = str(FOLDER)  # type: ignore[attr-defined]  # its module fills itself

F = TypeVar("F", bound=Callable[..., Any])
#: Address of the addresses of all tables.
Address = int
#: Rows of one table: ``rows[i].field`` reads and writes in compiled code.
Rows = Any

#: Length that a view claims to have. Nothing reads it, except that numba would add it to a negative row number.
_LENGTH: Final = 0


#: An unsigned integer of 64 bits, such as a coordinate of a random draw.
Bits = Any

#: Types of arguments by annotation, as text, so that each function is compiled once and for one kind of integer only.
_TYPES: Final = {
    "Address": types.int64,
    "int": types.int64,
    "float": types.float64,
    "bool": types.boolean,
    "Bits": types.uint64,
    "Sequence[float]": types.float64[::1],
}


_Dispatcher = Any
_prepared: list[tuple[_Dispatcher, tuple[Any, ...]]] = []
_entries: list[tuple[_Dispatcher, tuple[Any, ...]]] = []


def _signature(function: Callable[..., Any]) -> tuple[Any, ...]:
    return tuple(_TYPES[str(kind)] for name, kind in function.__annotations__.items() if name != "return")


def compiled(function: F) -> F:
    """Compile a function that only compiled code calls."""
    options: dict[str, Any] = {"no_cpython_wrapper": True, "error_model": "numpy"}  # numba's stubs omit the first
    part = numba.njit(**options)(function)
    _prepared.append((part, _signature(function)))
    return cast(F, part)


def inlined(function: F) -> F:
    """Compile a function that only compiled code calls, inlined where it is used, for work done millions of times a
    second, where a call would cost more than the function."""
    return cast(F, numba.njit(inline="always", error_model="numpy")(function))


def with_parts(function: F, prepared: Mapping[str, Any]) -> F:
    """Copy a Python function so that it calls the compiled functions ``prepared`` instead of those of the same name."""
    code = cast(Any, function).__code__
    made = FunctionType(code, {**cast(Any, function).__globals__, **prepared}, code.co_name)
    return cast(F, functools.update_wrapper(made, function))


def entry(function: F) -> F:
    """Compile a function that Python calls. Its code and all code that it calls are cached for the next process."""
    whole = numba.njit(cache=True, error_model="numpy")(function)
    signature = _signature(function)
    _entries.append((whole, signature))

    @functools.wraps(function)
    def call(*arguments: Any) -> Any:
        if not whole.signatures:
            _compile(whole, signature)
        return whole(*arguments)

    return cast(F, call)


def compile_entries() -> None:
    """Compile every entry of the imported modules."""
    for whole, signature in _entries:
        if not whole.signatures:
            _compile(whole, signature)


def _compile(whole: _Dispatcher, signature: tuple[Any, ...]) -> None:
    """Load the code from the cache, or compile it, beginning with the functions that it calls."""
    kept = FOLDER / f"{whole.py_func.__module__}.{whole.py_func.__name__}.ready"
    with alone():
        if not kept.exists():
            for part, arguments in _prepared:
                part.compile(arguments)
                part.disable_compile()
            _prepared.clear()
        whole.compile(signature)
        kept.touch()
    whole.disable_compile()


def table(index: int, kind: npt.DTypeLike) -> Callable[[Address], Rows]:
    """A function for compiled code that returns the rows of table number ``index``.

    It is inlined where it is used: it is used everywhere, and each call would cost time to compile.
    """
    rows = types.Array(numba.from_dtype(np.dtype(kind)), 1, "C")
    itemsize = np.dtype(kind).itemsize

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        word = context.get_value_type(types.int64)
        addresses = builder.inttoptr(arguments[0], word.as_pointer())
        address = builder.load(builder.gep(addresses, [context.get_constant(types.intp, index)]))
        # tables are replaced between two calls of compiled code only, so what was read once need not be read again
        address.set_metadata("invariant.load", builder.module.add_metadata([]))
        array = context.make_array(rows)(context, builder)
        length, step = (context.get_constant(types.intp, value) for value in (_LENGTH, itemsize))
        populate_array(
            array,
            data=builder.inttoptr(address, array.data.type),
            shape=[length],
            strides=[step],
            itemsize=step,
            meminfo=None,
        )
        return array._getvalue()

    def rows_at(_context: Any, _memory: Any) -> Any:
        return rows(types.int64), generate

    return cast(Callable[[Address], Rows], intrinsic(rows_at))
