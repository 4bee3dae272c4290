"""The units of back-of-envelope estimates, in a registry of our own; any other unit is refused.

Bytes and money have dimensions, so they cannot be mixed with anything else. Counted things (people, posts, requests)
have none, so that ``posts × MB/post`` gives MB and ``reads × followers`` is a number of rows.
"""

from __future__ import annotations

import difflib
import functools
from collections.abc import Iterable
from typing import Final, TypeAlias

import pint

from planning.audit.flaws import UnreadableError

Quantity: TypeAlias = "pint.Quantity[float]"
#: As in the price book (`planning.cost.prices`); twelve of them are a year.
HOURS_PER_MONTH: Final = 730

#: Words for times, which formulas may use too. A year has 365 days, a month a twelfth of it.
TIMES: Final = {
    "microsecond": "1e-6 second", "millisecond": "1e-3 second", "second": "", "minute": "60 second",
    "hour": "3600 second", "day": "24 hour", "week": "7 day", "month": f"{HOURS_PER_MONTH} hour", "year": "365 day",
}  # fmt: skip
_SHORT: Final = {
    "us": "microsecond", "µs": "microsecond", "ms": "millisecond", "s": "second", "sec": "second", "min": "minute",
    "h": "hour", "d": "day", "y": "year", "B": "byte", "USD": "dollar", "$": "dollar", "%": "percent",
    "people": "person",
}  # fmt: skip
#: Decimal prefixes of bytes and bits. KB is read as 1000 bytes; 1024 of them are a KiB.
PREFIXES: Final = {"k": 3, "K": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
#: What estimates count; a design adds words of its own under ``counts``.
COUNTED: Final = (
    "person", "user", "author", "follower", "follow", "request", "read", "write", "view", "query", "lookup", "feed",
    "page", "post", "image", "photo", "video", "story", "like", "comment", "engagement", "upload", "object", "file",
    "variant", "row", "key", "record", "entry", "event", "message", "delivery", "notification", "session", "profile",
    "vector", "number", "dimension", "worker", "server", "instance", "node", "core", "cpu", "shard", "replica", "copy",
    "partition", "region",
)  # fmt: skip


class Units:
    """A registry with the words of one design."""

    def __init__(self, counts: Iterable[str] = ()):
        self._registry: pint.UnitRegistry[float] = pint.UnitRegistry(None)
        define = self._registry.define
        define("bit = [information]")
        define("byte = 8 bit")
        define("dollar = [money]")
        define("percent = 0.01")
        for name, is_worth in TIMES.items():
            define(f"{name} = {is_worth or '[time]'}")
        self._words = {**_SHORT, **{name: name for name in ("bit", "byte", "dollar", "percent", *TIMES)}}
        for prefix, power in PREFIXES.items():
            for word, bits in ((f"{prefix}B", 8), (f"{prefix}bit", 1)):
                define(f"{word} = {bits}e{power} bit")
                self._words[word] = word
            define(f"{prefix}bps = 1e{power} bit / second")
            self._words[f"{prefix}bps"] = f"{prefix}bps"
            if prefix != "k":
                define(f"{prefix}iB = {8 * 2 ** (10 * power // 3)} bit")
                self._words[f"{prefix}iB"] = f"{prefix}iB"
        for name in (*COUNTED, *counts):
            if name not in self._words:
                define(f"{name} = []")
                self._words[name] = name

    def one(self, word: str) -> Quantity:
        """One of the unit that ``word`` names, in singular or plural; raises UnreadableError."""
        for form in _forms(word):
            if form in self._words:
                return self._registry.Quantity(1.0, self._words[form])
        near = difflib.get_close_matches(word, self._words, n=1)
        hint = f"; did you mean {near[0]}?" if near else "; words for what is counted can be added under counts"
        raise UnreadableError(f"expected a unit, {word!r} is none{hint}")

    def number(self, value: float) -> Quantity:
        """A number without a unit."""
        return self._registry.Quantity(float(value), "")

    def times(self) -> dict[str, Quantity]:
        """One of each time, by name."""
        return {name: self.one(name) for name in TIMES}


@functools.lru_cache(maxsize=16)
def units_of(counts: tuple[str, ...] = ()) -> Units:
    """The units of a design with these words of its own; cached, because building a registry is slow."""
    return Units(counts)


def _forms(word: str) -> tuple[str, ...]:
    forms = [word]
    if word.endswith("ies"):
        forms.append(word[:-3] + "y")
    if word.endswith("s") and len(word) > 2:
        forms.append(word[:-1])
    return tuple(forms)


def same_kind(left: Quantity, right: Quantity) -> bool:
    """Whether both have the same dimension, so that one can be converted into the other."""
    return bool(left.dimensionality == right.dimensionality)


def ratio(left: Quantity, right: Quantity) -> float:
    """``left`` over ``right``, of the same kind; infinite over zero."""
    below = right.to_base_units().magnitude
    return float(left.to_base_units().magnitude / below) if below else float("inf")


def kind(quantity: Quantity) -> str:
    """What a quantity measures, in words: ``bytes a second``, ``dollars``, ``a number``."""
    known = {"[information]": "bytes", "[money]": "dollars", "[time]": "time"}
    powers = {known[name]: float(str(power)) for name, power in quantity.dimensionality.items()}
    above = [name for name, power in powers.items() if power > 0]
    below = [name for name, power in powers.items() if power < 0]
    return " per ".join(["·".join(sorted(above)) or "a number", *sorted(below)])
