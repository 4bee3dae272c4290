"""Faults: what a scenario may break, one class a kind.

A class holds everything that is the kind's own: its fields, its words, how it is injected and what it does. To add a
kind, write its class and name it in `Fault`; the file's field of the class's `field` chooses it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Final, Literal, NamedTuple, get_args

from pydantic import BeforeValidator, Discriminator, Tag
from pydantic.dataclasses import dataclass

from core import faults
from core.faults import Effect
from core.scenario.fields import CONFIG, written_name
from core.scenario.units import Bytes, Seconds, format_seconds, format_size, format_spaced_seconds


class ToxicOf(NamedTuple):
    """A toxic as Toxiproxy names things; attributes are whole numbers in its units (ms, kB a second, bytes)."""

    type: str
    stream: str  # downstream: towards the caller
    attributes: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class _Fault:
    """Something that breaks at ``at`` and is mended after ``for``."""

    kind: ClassVar[str]
    field: ClassVar[str]  # of the file, by which the kind is known

    at_seconds: Seconds
    for_seconds: Seconds = 0.0

    @property
    def end_seconds(self) -> float:
        """When it is mended."""
        return self.at_seconds + self.for_seconds

    @property
    def target(self) -> str:
        """The link, process or region it acts on."""
        raise NotImplementedError

    @property
    def sentence(self) -> str:
        """What is done, for the plan of a drill."""
        raise NotImplementedError

    @property
    def mending(self) -> str:
        """What is done at its end."""
        raise NotImplementedError

    @property
    def short(self) -> str:
        """What it is, to be read behind its target: ``+300 ms ± 100 ms``, ``down``."""
        return self.kind

    def wrong(self) -> Iterator[tuple[str, str]]:
        """Fields that are well formed and cannot be, as (name in the file, what was expected)."""
        if self.for_seconds <= 0:
            yield "for", "expected how long it lasts, such as 10s"


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class LinkFault(_Fault):
    """A fault of a link, injected by Toxiproxy; with a region it acts on that region's link only."""

    link: str
    region: str | None = None

    @property
    def target(self) -> str:
        return self.link

    @property
    def mending(self) -> str:
        return f"the toxic on {self.link} is removed"

    @property
    def toxics(self) -> tuple[ToxicOf, ...]:
        """What Toxiproxy is given; nothing where it switches the proxy off."""
        raise NotImplementedError

    @property
    def effect(self) -> Effect:
        """What it does to the link."""
        raise NotImplementedError

    def too_mild(self) -> tuple[str, str] | None:
        """Why nobody could see it to act even alone, as (name of a field in the file, what was expected)."""
        return None


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class Latency(LinkFault):
    """Every answer comes later, by ``latency`` ± ``jitter`` (uniform), once a round trip."""

    kind = "latency"
    field = "latency"

    latency_seconds: Seconds
    jitter_seconds: Seconds = 0.0

    @property
    def sentence(self) -> str:
        jitter = f" ± {format_seconds(self.jitter_seconds)}" if self.jitter_seconds else ""
        return f"{self.link} answers {format_seconds(self.latency_seconds)} later{jitter}"

    @property
    def short(self) -> str:
        jitter = f" ± {format_spaced_seconds(self.jitter_seconds)}" if self.jitter_seconds else ""
        return f"+{format_spaced_seconds(self.latency_seconds)}{jitter}"

    @property
    def toxics(self) -> tuple[ToxicOf, ...]:
        attributes = {"latency": _milliseconds(self.latency_seconds), "jitter": _milliseconds(self.jitter_seconds)}
        return (ToxicOf("latency", "downstream", attributes),)

    @property
    def effect(self) -> Effect:
        return Effect(delay_seconds=self.latency_seconds, jitter_seconds=self.jitter_seconds)

    def wrong(self) -> Iterator[tuple[str, str]]:
        yield from LinkFault.wrong(self)
        yield from _whole(latency=self.latency_seconds, jitter=self.jitter_seconds)

    def too_mild(self) -> tuple[str, str] | None:
        if faults.is_provable(self.effect, (), faults.protocol(self.link)):
            return None
        least = faults.PROVABLE_SECONDS + 0.001
        mildest = format_seconds(min(2 * least, least + self.jitter_seconds))
        return "latency", f"expected at least {mildest}: a smaller one cannot be seen to act"


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class Bandwidth(LinkFault):
    """The link carries at most ``bandwidth`` a second, each way."""

    kind = "bandwidth"
    field = "bandwidth"

    bandwidth_bytes: Bytes  # a second

    @property
    def sentence(self) -> str:
        return f"{self.link} carries at most {format_size(self.bandwidth_bytes)} a second"

    @property
    def short(self) -> str:
        return f"at most {format_size(self.bandwidth_bytes)}/s"

    @property
    def toxics(self) -> tuple[ToxicOf, ...]:
        rate = {"rate": round(self.effect.rate_bytes) // 1000}
        return tuple(ToxicOf("bandwidth", stream, rate) for stream in ("upstream", "downstream"))

    @property
    def effect(self) -> Effect:
        # Toxiproxy takes whole thousands of bytes
        return Effect(rate_bytes=max(1, round(self.bandwidth_bytes / 1000)) * 1000.0)

    def wrong(self) -> Iterator[tuple[str, str]]:
        yield from LinkFault.wrong(self)
        if self.bandwidth_bytes < 1_000:
            yield "bandwidth", "expected at least 1kB a second, the least that Toxiproxy takes"

    def too_mild(self) -> tuple[str, str] | None:
        speaks = faults.protocol(self.link)
        if faults.is_provable(self.effect, (), speaks):
            return None
        widest = format_size(int(faults.QUESTION_BYTES_MAX[speaks] / faults.PROVABLE_SECONDS / 2))
        return "bandwidth", f"expected at most {widest}: a wider way to {speaks} cannot be seen to be narrow"


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class Timeout(LinkFault):
    """No answer comes, and a connection is closed ``timeout`` after something was asked; never where it is 0."""

    kind = "timeout"
    field = "timeout"

    timeout_seconds: Seconds

    @property
    def sentence(self) -> str:
        return f"{self.link} is silent and closes after {format_seconds(self.timeout_seconds)}"

    @property
    def short(self) -> str:
        return f"silent, closed after {format_spaced_seconds(self.timeout_seconds)}"

    @property
    def toxics(self) -> tuple[ToxicOf, ...]:
        return (ToxicOf("timeout", "downstream", {"timeout": _milliseconds(self.timeout_seconds)}),)

    @property
    def effect(self) -> Effect:
        return Effect(silent=True, closes_seconds=self.timeout_seconds)

    def wrong(self) -> Iterator[tuple[str, str]]:
        yield from LinkFault.wrong(self)
        yield from _whole(timeout=self.timeout_seconds)


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class Reset(LinkFault):
    """Every connection is reset."""

    kind = "reset"
    field = "reset"

    reset: Literal[True] = True

    @property
    def sentence(self) -> str:
        return f"{self.link} resets every connection"

    @property
    def toxics(self) -> tuple[ToxicOf, ...]:
        # with a time-out, removing it would block for that long
        return (ToxicOf("reset_peer", "downstream", {"timeout": 0}),)

    @property
    def effect(self) -> Effect:
        return Effect(resets=True)


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class Down(LinkFault):
    """Every connection is refused."""

    kind = "down"
    field = "down"

    down: Literal[True] = True

    @property
    def sentence(self) -> str:
        return f"{self.link} refuses every connection"

    @property
    def mending(self) -> str:
        return f"{self.link} is switched on"

    @property
    def toxics(self) -> tuple[ToxicOf, ...]:
        return ()

    @property
    def effect(self) -> Effect:
        return Effect(refuses=True)


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class ProcessFault(_Fault):
    """A fault of a process, injected by a signal."""

    field = "action"
    ends: ClassVar[bool] = True  # the process, which its supervisor starts again

    process: str
    action: Literal["kill", "pause", "restart"]

    @property
    def target(self) -> str:
        return self.process

    @property
    def mending(self) -> str:
        return f"{self.process} is started again by its supervisor"


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class Kill(ProcessFault):
    """The process is killed; without ``for`` its supervisor starts it again at once."""

    kind = "kill"

    action: Literal["kill"] = "kill"

    @property
    def sentence(self) -> str:
        return f"{self.process} is killed"

    def wrong(self) -> Iterator[tuple[str, str]]:
        yield from ()


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class Pause(ProcessFault):
    """The process is stopped by a signal and goes on afterwards."""

    kind = "pause"
    ends = False

    action: Literal["pause"] = "pause"

    @property
    def sentence(self) -> str:
        return f"{self.process} stands still"

    @property
    def mending(self) -> str:
        return f"{self.process} goes on"


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class Restart(ProcessFault):
    """The process is asked to end, and is started again afterwards."""

    kind = "restart"

    action: Literal["restart"] = "restart"

    @property
    def sentence(self) -> str:
        return f"{self.process} is stopped, and started again afterwards"


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class Lost(_Fault):
    """A region is lost with all that is in it; the model alone can do that."""

    kind = "lost"
    field = "region"

    region: str

    @property
    def target(self) -> str:
        return self.region

    @property
    def sentence(self) -> str:
        return f"the region {self.region} is lost"

    @property
    def mending(self) -> str:
        return f"the region {self.region} is back"


def _whole(**seconds: float) -> Iterator[tuple[str, str]]:
    for name, value in seconds.items():
        if abs(value * 1000 - round(value * 1000)) > 1e-6:
            yield name, "expected whole milliseconds, as Toxiproxy takes them"


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _class_of(value: Any) -> str | None:
    """Name of the class that a fault's fields speak of; None where they speak of none, or of several."""
    if isinstance(value, _Fault):
        return type(value).__name__
    if not isinstance(value, Mapping):
        return None
    named = _named(value)
    if not named and "region" in value and not {"link", "process"} & value.keys():
        return Lost.__name__
    if named == ("action",):
        return next((kind.__name__ for kind in KINDS if (kind.field, kind.kind) == ("action", value["action"])), None)
    return next(kind.__name__ for kind in KINDS if kind.field == named[0]) if len(named) == 1 else None


def _named(value: Mapping[str, Any]) -> tuple[str, ...]:
    """Fields that choose a kind, in the order of `KINDS`."""
    written = {written_name(str(name)) for name, given in value.items() if given is not None}
    fields = dict.fromkeys(kind.field for kind in KINDS if kind is not Lost)
    return tuple(field for field in fields if field in written)


def _one_kind(value: Any) -> Any:
    if _class_of(value) is not None:
        return value
    if not isinstance(value, Mapping):
        raise ValueError("expected a fault, such as {at: 10s, for: 5s, link: feed_redis, latency: 300ms}")
    named, fields = _named(value), tuple(dict.fromkeys(kind.field for kind in KINDS if kind is not Lost))
    if named == ("action",):
        actions = ", ".join(kind.kind for kind in KINDS if kind.field == "action")
        raise ValueError(f"expected one of {actions} as the action")
    known = {written_name(name) for kind in KINDS for name in kind.__dataclass_fields__}
    strange = [str(name) for name in value if written_name(str(name)) not in known]
    close = [match for name in strange for match in difflib.get_close_matches(name, fields, n=1)]
    rest = f", not {' and '.join(named)} together" if named else f"; {', '.join(strange)} is none" if strange else ""
    rest += f", did you mean {close[0]}?" if close and not named else ""
    raise ValueError(f"expected one of {', '.join(fields)}, or a region alone{rest}")


def _without_unset(value: Any) -> Any:
    """Take out fields of other kinds that are off. `windtunnel explain` used to print them with every fault, so folders
    of older runs have them."""
    if not isinstance(value, Mapping):
        return value
    unset: dict[Any, Any] = {
        name: given for name, given in value.items() if name in ("reset", "down") and given is False
    }
    if "latency" not in value and value.get("jitter") == "0s":
        unset["jitter"] = "0s"
    return {name: given for name, given in value.items() if name not in unset}


Fault = Annotated[
    Annotated[Latency, Tag("Latency")]
    | Annotated[Bandwidth, Tag("Bandwidth")]
    | Annotated[Timeout, Tag("Timeout")]
    | Annotated[Reset, Tag("Reset")]
    | Annotated[Down, Tag("Down")]
    | Annotated[Kill, Tag("Kill")]
    | Annotated[Pause, Tag("Pause")]
    | Annotated[Restart, Tag("Restart")]
    | Annotated[Lost, Tag("Lost")],
    Discriminator(_class_of),
    BeforeValidator(_one_kind),
    BeforeValidator(_without_unset),
]
#: Every kind.
KINDS: Final[tuple[type[_Fault], ...]] = tuple(get_args(kind)[0] for kind in get_args(get_args(Fault)[0]))
