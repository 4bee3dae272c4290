"""Parts of compiled code become machine code once, within the entry that needs them, and not each by itself as well.

Left to itself numba links each function with all that it calls, optimises that and makes machine code of it, and then
does the same for whoever calls it: of two hundred functions that call each other most of that is done dozens of times,
and all but the last is thrown away. Here a part stays as it was lowered, and whoever links it gets with it all that it
needs. These are rooms of numba that it shows nobody; the lock file says of which version.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from numba._dynfunc import make_function
from numba.core import codegen, cpu

_Library: Any = codegen.CPUCodeLibrary
_Context: Any = cpu.CPUContext


def _add_linking_library(self: Any, library: Any) -> None:
    """With all that the library would have been linked with."""
    library._ensure_finalized()
    for each in (library, *library._linking_libraries):
        if each not in self._linking_libraries:
            self._linking_libraries.append(each)


def _finalize(self: Any) -> None:
    """Neither linked nor optimised, and unknown to the engine that makes machine code."""
    self._raise_if_finalized()
    self._finalize_dynamic_globals()
    self._finalized = True


def _get_executable(_self: Any, library: Any, description: Any, environment: Any) -> Any:
    """An object that stands for the function, as numba wants one, and cannot be called."""
    name = description.qualname.split(".")[-1]
    return make_function(description.lookup_module(), name, name, 0, environment, (library,))


_Library.add_linking_library = _add_linking_library


@contextmanager
def parts() -> Iterator[None]:
    """What is compiled meanwhile is for other compiled code only."""
    before = _Library.finalize, _Context.get_executable
    _Library.finalize, _Context.get_executable = _finalize, _get_executable
    try:
        yield
    finally:
        _Library.finalize, _Context.get_executable = before
