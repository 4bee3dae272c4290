"""Values with units, as written in a scenario: ``80ms``, ``64MiB``, ``68%``, ``30/s per user``.

Each type reads such text and prints it back. In a file a bare number is refused where a unit is needed; code, where the
attribute's name carries the unit, passes numbers (`in_file` is the validation context that distinguishes the two).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, GetCoreSchemaHandler, PlainSerializer, ValidationInfo
from pydantic_core import core_schema

_DURATIONS: Final = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "y": 365 * 86400.0}
_SIZES: Final = {
    "B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "PB": 10**15,
    "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40,
}  # fmt: skip
_NUMBER: Final = r"([0-9][0-9_]*(?:\.[0-9]+)?)"
_QUANTITY: Final = re.compile(rf"^{_NUMBER}\s*([A-Za-z]+)$")
_RATIO: Final = re.compile(rf"^{_NUMBER}\s*%$")
_RATE: Final = re.compile(rf"^{_NUMBER}\s*/\s*(s|m|h|d)$")
_LIMIT: Final = re.compile(rf"^{_NUMBER}\s*/\s*(s|m|h)\s+per\s+(user|ip)$")


def _number(text: str) -> float:
    return float(text.replace("_", ""))


def seconds(value: object) -> float:
    """Read a duration such as ``80ms`` or ``24h``; zero needs no unit."""
    if value == 0 and not isinstance(value, bool):
        return 0.0
    match = _QUANTITY.match(value) if isinstance(value, str) else None
    if match is None or match[2] not in _DURATIONS:
        raise ValueError("expected a duration with its unit, such as 80ms, 10s, 24h")
    return _number(match[1]) * _DURATIONS[match[2]]


def signed_seconds(value: object) -> float:
    """Read a duration that may be negative, such as ``-6h``."""
    if isinstance(value, str) and value.startswith("-"):
        return -seconds(value[1:])
    return seconds(value)


def size(value: object) -> int:
    """Read a number of bytes such as ``64MiB`` or ``3.5MB``."""
    match = _QUANTITY.match(value) if isinstance(value, str) else None
    if match is None or match[2] not in _SIZES:
        raise ValueError("expected a size with its unit, such as 64MiB or 3.5MB")
    return round(_number(match[1]) * _SIZES[match[2]])


def ratio(value: object) -> float:
    """Read a percentage such as ``68%``."""
    match = _RATIO.match(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("expected a percentage, such as 68%")
    return _number(match[1]) / 100


def rate(value: object) -> float:
    """Read a number of things per second, such as ``120/s`` or ``500/m``."""
    match = _RATE.match(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("expected a rate with its unit, such as 120/s or 500/m")
    return _number(match[1]) / _DURATIONS[match[2]]


def _trim(number: float) -> str:
    return f"{number:.6g}" if abs(number) < 1e6 else f"{number:.0f}"


def format_seconds(value: float) -> str:
    """``0.08`` → ``80ms``."""
    for unit in ("y", "d", "h", "m"):
        if value >= _DURATIONS[unit] and value % _DURATIONS[unit] == 0:
            return f"{_trim(value / _DURATIONS[unit])}{unit}"
    if value == 0 or value >= 1:
        return f"{_trim(value)}s"
    texts = [f"{_trim(value / _DURATIONS[unit])}{unit}" for unit in ("ms", "us")]
    return next((text for text in texts if seconds(text) == value), texts[0])  # the one that reads back to the same


def format_spaced_seconds(value: float) -> str:
    """``0.08`` → ``80 ms``: for people."""
    text = format_seconds(value)
    number = text.rstrip("abcdefghijklmnopqrstuvwxyz")
    return f"{number} {text[len(number) :]}"


def format_signed_seconds(value: float) -> str:
    """``-21600.0`` → ``-6h``."""
    return f"-{format_seconds(-value)}" if value < 0 else format_seconds(value)


def format_size(value: int) -> str:
    """``67108864`` → ``64MiB``."""
    for unit in ("TiB", "GiB", "MiB", "KiB", "PB", "TB", "GB", "MB", "kB"):
        if value >= _SIZES[unit] and value % _SIZES[unit] == 0:
            return f"{value // _SIZES[unit]}{unit}"
    return f"{value}B"


def format_ratio(value: float) -> str:
    """``0.68`` → ``68%``."""
    return f"{_trim(round(value * 100, 9))}%"


def format_rate(value: float) -> str:
    """``120.0`` → ``120/s``."""
    return f"{_trim(value)}/s"


in_file: Final = {"in_file": True}


def _reads(read: Callable[[object], float | int]) -> BeforeValidator:
    def validate(value: object, info: ValidationInfo) -> object:
        if not info.context and isinstance(value, int | float) and not isinstance(value, bool):
            return value
        return read(value)

    return BeforeValidator(validate)


Seconds = Annotated[float, _reads(seconds), PlainSerializer(format_seconds)]
SignedSeconds = Annotated[float, _reads(signed_seconds), PlainSerializer(format_signed_seconds)]
Bytes = Annotated[int, _reads(size), PlainSerializer(format_size)]
Ratio = Annotated[float, _reads(ratio), PlainSerializer(format_ratio)]
PerSecond = Annotated[float, _reads(rate), PlainSerializer(format_rate)]


class _Text:
    """A value that is read from one line of text and prints as that text."""

    @classmethod
    def read(cls, value: object) -> Any:
        raise TypeError(f"{cls.__name__} cannot be read from {value!r}")

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            lambda value: value if isinstance(value, cls) else cls.read(value),
            serialization=core_schema.plain_serializer_function_ser_schema(str),
        )


@dataclass(frozen=True, slots=True)
class RateLimit(_Text):
    """``30/s per user``: at most ``count`` in ``per_seconds`` for each ``scope``, by `core.policies.window`."""

    count: int
    per_seconds: float
    scope: str

    @classmethod
    def read(cls, value: object) -> RateLimit:
        match = _LIMIT.match(value) if isinstance(value, str) else None
        if match is None:
            raise ValueError("expected a limit, such as 30/s per user or 500/m per ip")
        return cls(count=round(_number(match[1])), per_seconds=_DURATIONS[match[2]], scope=match[3])

    def __str__(self) -> str:
        unit = {1.0: "s", 60.0: "m", 3600.0: "h"}[self.per_seconds]
        return f"{self.count}/{unit} per {self.scope}"


@dataclass(frozen=True, slots=True)
class Below(_Text):
    """``< 300ms`` or ``< 1%``: an upper limit that must not be reached. ``value`` is in seconds or a ratio."""

    value: float
    unit: str  # "seconds" or "ratio"

    @classmethod
    def read(cls, value: object) -> Below:
        text = value.strip() if isinstance(value, str) else ""
        if text.startswith("<"):
            text = text[1:].strip()
            unit = "ratio" if text.endswith("%") else "seconds"
            limit = ratio(text) if unit == "ratio" else seconds(text)
            if limit > 0:
                return cls(limit, unit)
        raise ValueError("expected an upper limit above 0, such as < 300ms or < 1%")

    def __str__(self) -> str:
        return f"< {format_seconds(self.value) if self.unit == 'seconds' else format_ratio(self.value)}"


@dataclass(frozen=True, slots=True)
class Within(_Text):
    """``within 5s``."""

    seconds: float

    @classmethod
    def read(cls, value: object) -> Within:
        if isinstance(value, str) and value.startswith("within "):
            return cls(seconds(value.removeprefix("within ").strip()))
        raise ValueError("expected a time, such as within 5s")

    def __str__(self) -> str:
        return f"within {format_seconds(self.seconds)}"
