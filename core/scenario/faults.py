"""The faults of a scenario, one class for each kind.

A class holds everything about its kind: fields, descriptions, injection and effect. To add a kind, write its class and
add it to `Fault`; the field of the file that its ``field`` names chooses it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import BeforeValidator, Discriminator, Tag
from pydantic.dataclasses import dataclass

from core import faults
from core.faults import Effect
from core.scenario import fault
from core.scenario.fault import AnyFault, LinkFault, ProcessFault, ToxicOf
from core.scenario.fields import CONFIG
from core.scenario.units import Bytes, Seconds, format_seconds, format_size, format_spaced_seconds


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class Latency(LinkFault):
    """Every answer is delayed by ``latency`` ± ``jitter`` (uniform), once per round trip."""

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
    """The link carries at most ``bandwidth`` per second, each way."""

    kind = "bandwidth"
    field = "bandwidth"

    bandwidth_bytes: Bytes  # per second

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
        return "bandwidth", f"expected at most {widest}: a higher limit to {speaks} cannot be seen to act"


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class Timeout(LinkFault):
    """No answer comes, and a connection is closed ``timeout`` after a request; never if it is 0."""

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
    def rollback(self) -> str:
        return f"{self.link} is switched on"

    @property
    def toxics(self) -> tuple[ToxicOf, ...]:
        return ()

    @property
    def effect(self) -> Effect:
        return Effect(refuses=True)


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class LimitData(LinkFault):
    """Every connection is cut after ``limit_data`` bytes, counted separately each way; requests in progress on
    it fail."""

    kind = "limit_data"
    field = "limit_data"

    limit_data_bytes: Bytes

    @property
    def sentence(self) -> str:
        return f"{self.link} cuts a connection after {format_size(self.limit_data_bytes)} each way"

    @property
    def short(self) -> str:
        return f"cut after {format_size(self.limit_data_bytes)}"

    @property
    def toxics(self) -> tuple[ToxicOf, ...]:
        limit = {"bytes": self.limit_data_bytes}
        return tuple(ToxicOf("limit_data", stream, limit) for stream in ("upstream", "downstream"))

    @property
    def effect(self) -> Effect:
        return Effect(carries_bytes=self.limit_data_bytes)

    def wrong(self) -> Iterator[tuple[str, str]]:
        yield from LinkFault.wrong(self)
        if self.limit_data_bytes < 1:
            yield "limit_data", "expected at least 1B: a link that carries nothing is down"

    def too_mild(self) -> tuple[str, str] | None:
        speaks = faults.protocol(self.link)
        if faults.is_provable(self.effect, (), speaks):
            return None
        most = format_size(faults.QUESTION_BYTES_MAX[speaks] - faults.margin_bytes(speaks))
        return "limit_data", f"expected at most {most}: no probe of {speaks} is long enough to reach more"


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class SlowClose(LinkFault):
    """A close by the server reaches the caller ``slow_close`` later; answers are not delayed."""

    kind = "slow_close"
    field = "slow_close"

    slow_close_seconds: Seconds

    @property
    def sentence(self) -> str:
        return f"{self.link} closes connections {format_seconds(self.slow_close_seconds)} later"

    @property
    def short(self) -> str:
        return f"closes {format_spaced_seconds(self.slow_close_seconds)} later"

    @property
    def toxics(self) -> tuple[ToxicOf, ...]:
        return (ToxicOf("slow_close", "downstream", {"delay": _milliseconds(self.slow_close_seconds)}),)

    @property
    def effect(self) -> Effect:
        return Effect(lingers_seconds=self.slow_close_seconds)

    def wrong(self) -> Iterator[tuple[str, str]]:
        yield from LinkFault.wrong(self)
        yield from _whole(slow_close=self.slow_close_seconds)

    def too_mild(self) -> tuple[str, str] | None:
        if faults.is_provable(self.effect, (), faults.protocol(self.link)):
            return None
        least = format_seconds(faults.PROVABLE_SECONDS + 0.001)
        return "slow_close", f"expected at least {least}: a smaller one cannot be seen to act"


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
    """The process is paused by a signal and resumed at the end."""

    kind = "pause"
    ends = False

    action: Literal["pause"] = "pause"

    @property
    def sentence(self) -> str:
        return f"{self.process} is paused"

    @property
    def rollback(self) -> str:
        return f"{self.process} is resumed"


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class Restart(ProcessFault):
    """The process is asked to end, and is started again at the end."""

    kind = "restart"

    action: Literal["restart"] = "restart"

    @property
    def sentence(self) -> str:
        return f"{self.process} is stopped, and started again afterwards"


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class Lost(AnyFault):
    """A region is lost with everything in it; only the model can do that."""

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
    def rollback(self) -> str:
        return f"the region {self.region} is back"


def _whole(**seconds: float) -> Iterator[tuple[str, str]]:
    for name, value in seconds.items():
        if abs(value * 1000 - round(value * 1000)) > 1e-6:
            yield name, "expected whole milliseconds, as Toxiproxy takes them"


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _class_of(value: Any) -> str | None:
    return fault.class_of(value, KINDS)


def _one_kind(value: Any) -> Any:
    return fault.one_kind(value, KINDS)


Fault = Annotated[
    Annotated[Latency, Tag("Latency")]
    | Annotated[Bandwidth, Tag("Bandwidth")]
    | Annotated[Timeout, Tag("Timeout")]
    | Annotated[Reset, Tag("Reset")]
    | Annotated[Down, Tag("Down")]
    | Annotated[LimitData, Tag("LimitData")]
    | Annotated[SlowClose, Tag("SlowClose")]
    | Annotated[Kill, Tag("Kill")]
    | Annotated[Pause, Tag("Pause")]
    | Annotated[Restart, Tag("Restart")]
    | Annotated[Lost, Tag("Lost")],
    Discriminator(_class_of),
    BeforeValidator(_one_kind),
    BeforeValidator(fault.without_unset),
]
#: Every kind.
KINDS: Final[tuple[type[AnyFault], ...]] = tuple(get_args(kind)[0] for kind in get_args(get_args(Fault)[0]))
