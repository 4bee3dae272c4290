"""The interface of every kind of `core.scenario.faults`, and the choice of a kind by the fields of a file."""

from __future__ import annotations

import difflib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal, NamedTuple

from pydantic.dataclasses import dataclass

from core.faults import Effect
from core.scenario.fields import CONFIG, written_name
from core.scenario.units import Seconds


class ToxicOf(NamedTuple):
    """A toxic in Toxiproxy's terms; attributes are whole numbers in its units (ms, kB per second, bytes)."""

    type: str
    stream: str  # downstream: towards the caller
    attributes: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class AnyFault(ABC):
    """A fault that begins at ``at`` and ends after ``for``."""

    kind: ClassVar[str]
    field: ClassVar[str]  # of the file, which selects the kind

    at_seconds: Seconds
    for_seconds: Seconds = 0.0

    @property
    def end_seconds(self) -> float:
        """When the fault ends."""
        return self.at_seconds + self.for_seconds

    @property
    @abstractmethod
    def target(self) -> str:
        """The link, process or region it acts on."""

    @property
    @abstractmethod
    def sentence(self) -> str:
        """The injection as a sentence, for the plan of a drill."""

    @property
    @abstractmethod
    def rollback(self) -> str:
        """The end of the fault as a sentence."""

    @property
    def short(self) -> str:
        """A short description, shown after the target: ``+300 ms ± 100 ms``, ``down``."""
        return self.kind

    def wrong(self) -> Iterator[tuple[str, str]]:
        """Fields with impossible values, as (name in the file, what was expected)."""
        if self.for_seconds <= 0:
            yield "for", "expected how long it lasts, such as 10s"


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class LinkFault(AnyFault):
    """A fault of a link, injected by Toxiproxy; with a region it acts on that region's link only."""

    link: str
    region: str | None = None

    @property
    def target(self) -> str:
        return self.link

    @property
    def rollback(self) -> str:
        return f"the toxic on {self.link} is removed"

    @property
    @abstractmethod
    def toxics(self) -> tuple[ToxicOf, ...]:
        """The toxics of the fault; none if the proxy is disabled instead."""

    @property
    @abstractmethod
    def effect(self) -> Effect:
        """The effect on the link."""

    def too_mild(self) -> tuple[str, str] | None:
        """Why the fault could not be proven even alone, as (name of a field in the file, what was expected)."""
        return None


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class ProcessFault(AnyFault):
    """A fault of a process, injected by a signal."""

    field = "action"
    ends: ClassVar[bool] = True  # the process, which its supervisor starts again

    process: str
    action: Literal["kill", "pause", "restart"]

    @property
    def target(self) -> str:
        return self.process

    @property
    def rollback(self) -> str:
        return f"{self.process} is started again by its supervisor"


Kinds = Sequence[type[AnyFault]]


def class_of(value: Any, kinds: Kinds) -> str | None:
    """Name of the class that a fault's fields choose; None if they choose none, or several."""
    if isinstance(value, AnyFault):
        return type(value).__name__
    if not isinstance(value, Mapping):
        return None
    named = _named(value, kinds)
    if not named and "region" in value and not {"link", "process"} & value.keys():
        return next(kind.__name__ for kind in kinds if kind.field == "region")
    if named == ("action",):
        return next((kind.__name__ for kind in kinds if (kind.field, kind.kind) == ("action", value["action"])), None)
    return next(kind.__name__ for kind in kinds if kind.field == named[0]) if len(named) == 1 else None


def _named(value: Mapping[str, Any], kinds: Kinds) -> tuple[str, ...]:
    """Fields that choose a kind, in the order of ``kinds``."""
    written = {written_name(str(name)) for name, given in value.items() if given is not None}
    fields = dict.fromkeys(kind.field for kind in kinds if kind.field != "region")
    return tuple(field for field in fields if field in written)


def one_kind(value: Any, kinds: Kinds) -> Any:
    """``value`` if its fields choose one kind; raises ValueError that says which kinds they choose."""
    if class_of(value, kinds) is not None:
        return value
    if not isinstance(value, Mapping):
        raise ValueError("expected a fault, such as {at: 10s, for: 5s, link: feed_redis, latency: 300ms}")
    named, fields = _named(value, kinds), tuple(dict.fromkeys(kind.field for kind in kinds if kind.field != "region"))
    if named == ("action",):
        actions = ", ".join(kind.kind for kind in kinds if kind.field == "action")
        raise ValueError(f"expected one of {actions} as the action")
    known = {written_name(name) for kind in kinds for name in kind.__dataclass_fields__}
    strange = [str(name) for name in value if written_name(str(name)) not in known]
    close = [match for name in strange for match in difflib.get_close_matches(name, fields, n=1)]
    rest = f", not {' and '.join(named)} together" if named else f"; {', '.join(strange)} is none" if strange else ""
    rest += f", did you mean {close[0]}?" if close and not named else ""
    raise ValueError(f"expected one of {', '.join(fields)}, or a region alone{rest}")


def without_unset(value: Any) -> Any:
    """Remove fields of other kinds that are off. `windtunnel explain` used to print them with every fault, so folders
    of older runs have them."""
    if not isinstance(value, Mapping):
        return value
    unset: dict[Any, Any] = {
        name: given for name, given in value.items() if name in ("reset", "down") and given is False
    }
    if "latency" not in value and value.get("jitter") == "0s":
        unset["jitter"] = "0s"
    return {name: given for name, given in value.items() if name not in unset}
