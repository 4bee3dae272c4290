"""The calibration profile: durations of the real stack's parts, measured without queueing.

It is the model's only input besides the scenario. Demand is CPU time by the operating system's accounting, so it
includes no waiting. It depends on the load (cold caches, fewer events per wake-up), so it is given at several rates and
interpolated over how busy its process is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import NormalDist
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from core import fixed_work, streams
from core.fixed_work import FixedWork

PROFILE_SCHEMA: Final = 1

Floats = npt.NDArray[np.float64]

#: Sizes on which demands depend: posts of a feed page, and pixels of an uploaded photo.
PAGE: Final = "page"
PIXELS: Final = "pixels"
#: Behind an operation's name: its fallback path, taken when a store is out of reach (``feed.read/degraded``).
DEGRADED: Final = "/degraded"


#: By how much the CPU of the whole stack differs from one calibration to another, after both are brought to one time of
#: the fixed work: a standard deviation, of four calibrations on two machines (1, 0.99, 0.95 and 1.25).
BETWEEN_CALIBRATIONS_RATIO: Final = 0.12


class CpuDemand(msgspec.Struct, frozen=True, kw_only=True):
    """CPU seconds that one operation costs one process, at several rates."""

    operation: str  # or a background job of `core.operations.BACKGROUND`; with DEGRADED behind it, its fallback path
    process: str  # a component (whatever process hosts it) or a server (gateway, redis, postgres: all instances, …)
    rates_per_second: tuple[float, ...]  # of the operation, ascending
    cpu_seconds: tuple[float, ...]  # per operation at that rate
    variation: float = 0.5  # coefficient of variation of one execution
    error_ratio: float = 0.0  # standard error of ``cpu_seconds`` over them, at all rates alike; 0: not known, or exact

    def at(self, rate_per_second: float) -> float:
        """CPU seconds at a rate: linear between the measured rates, constant outside of them."""
        return float(np.interp(rate_per_second, self.rates_per_second, self.cpu_seconds))

    def while_busy(self, cores: Floats | float) -> Floats:
        """CPU seconds where the process uses so many cores for everything that it does: those at the rate at which this
        operation alone used as many; constant outside of what was measured."""
        used = np.multiply(self.rates_per_second, self.cpu_seconds)
        return np.asarray(np.interp(cores, np.maximum.accumulate(used), self.cpu_seconds), dtype=np.float64)


class SizeShare(msgspec.Struct, frozen=True, kw_only=True):
    """How a demand grows with a size of the scenario: this share is in proportion to the size, the rest is fixed."""

    operation: str
    process: str
    size: str  # PAGE or PIXELS
    at: float  # the size for which the demand was measured
    share: float


class LinkDelay(msgspec.Struct, frozen=True, kw_only=True):
    """Time of a round trip on a link that is CPU time of neither caller nor callee (loopback, wake-ups)."""

    link: str
    rate_per_second: float | None = None  # at which it was measured; None: it counts at every rate
    median_seconds: float
    p99_seconds: float


class Delay(msgspec.Struct, frozen=True, kw_only=True):
    """Waiting time of a visit inside a server that is not CPU time, such as a durable commit's flush."""

    station: str  # e.g. postgres.commit, kafka.ack, objects.put
    median_seconds: float
    p99_seconds: float


class Stalls(msgspec.Struct, frozen=True, kw_only=True):
    """Time that the host takes away from a busy loop: vacations of all cores."""

    per_second: tuple[float, ...]  # stalls a second, by class of length
    upto_seconds: tuple[float, ...]  # upper bound of each class
    mean_seconds: tuple[float, ...]
    lost_ratio: float  # share of time lost


class CpuScheduler(msgspec.Struct, frozen=True, kw_only=True):
    """How the kernel shares a core among busy processes. The defaults are those of Linux on two cores with HZ = 250."""

    tick_seconds: float = 0.004  # busy processes of one weight take turns of this length
    slice_seconds: float = 0.0014  # a process that began keeps the core for so long, while it is not ahead of others
    # how late a process is that wakes up beside a busy one; not used by the model, which it is compared with
    wake_up_seconds: float | None = None
    wake_up_p99_seconds: float | None = None


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """A dated measurement of one machine."""

    id: str  # date-time and machine
    measured: str  # UTC, RFC 3339
    commit: str
    machine: dict[str, str | int | float]
    scenario: str  # name of the scenario that it was measured with
    demands: tuple[CpuDemand, ...]
    wires: tuple[LinkDelay, ...]
    delays: tuple[Delay, ...]
    stalls: Stalls
    scheduler: CpuScheduler = CpuScheduler()
    background_cpu_ratio: dict[str, float] = {}  # share of a core that each process uses without traffic
    sizes: tuple[SizeShare, ...] = ()
    cache_hit_ratio: dict[str, float] = {}
    batch_sizes: dict[str, float] = {}
    fixed_work: FixedWork | None = None  # on this machine; None in a profile that was measured before it existed
    # by process as in `CpuDemand`: CPU under a mix of operations over what they would use each measured alone. Without
    # it (older profiles) a demand is read at the operation's own rate, which about makes up for what the mix costs
    mix_cpu_ratio: dict[str, float] = {}
    refusal_cpu_seconds: float | None = None  # of the gateway for a request that it does not admit; None: not measured
    notes: tuple[str, ...] = ()
    schema: int = PROFILE_SCHEMA

    def wire(self, link: str, rate_per_second: float) -> LinkDelay | None:
        """Delay of a link where clients send at this rate: linear between the measured rates, constant outside of them;
        None if it was not measured."""
        found = sorted((each for each in self.wires if each.link == link), key=lambda each: each.rate_per_second or 0.0)
        if not found:
            return None
        rates = [each.rate_per_second or 0.0 for each in found]
        median, p99 = (
            float(np.interp(rate_per_second, rates, [getattr(each, name) for each in found]))
            for name in ("median_seconds", "p99_seconds")
        )
        return LinkDelay(link=link, rate_per_second=rate_per_second, median_seconds=median, p99_seconds=p99)

    def demand(self, operation: str, process: str) -> CpuDemand | None:
        """The demand of ``operation`` on ``process``; None if it does not use it."""
        for each in self.demands:
            if each.operation == operation and each.process == process:
                return each
        return None


def encode(profile: Profile) -> bytes:
    """JSON, for a file."""
    return msgspec.json.format(msgspec.json.encode(profile, order="sorted"), indent=2) + b"\n"


def decode(data: bytes) -> Profile:
    """Read a profile; raises ValueError that names the field."""
    try:
        profile = msgspec.json.decode(data, type=Profile)
    except msgspec.DecodeError as error:
        raise ValueError(f"calibration profile: {error}") from error
    if profile.schema != PROFILE_SCHEMA:
        raise ValueError(f"calibration profile: schema {profile.schema}, this build reads {PROFILE_SCHEMA}")
    if profile.refusal_cpu_seconds is not None and profile.refusal_cpu_seconds < 0:
        raise ValueError("calibration profile: refusal_cpu_seconds: expected a time of at least 0")
    for index, share in enumerate(profile.sizes):
        if not (0.0 <= share.share <= 1.0 and share.at > 0.0 and share.size in (PAGE, PIXELS)):
            raise ValueError(
                f"calibration profile: sizes[{index}] ({share.operation} at {share.process}): expected {PAGE} or "
                f"{PIXELS}, at more than zero, and a share from 0 to 1"
            )
    for name, ratio in profile.mix_cpu_ratio.items():
        if not 0.0 < ratio < math.inf:
            raise ValueError(f"calibration profile: mix_cpu_ratio.{name}: expected more than zero")
    for index, demand in enumerate(profile.demands):
        _check(demand, f"demands[{index}] ({demand.operation} at {demand.process})")
    if profile.fixed_work is not None:
        try:
            profile.fixed_work.check()
        except ValueError as error:
            raise ValueError(f"calibration profile: {error}") from error
    for name in ("tick_seconds", "slice_seconds"):
        if not 1e-6 <= getattr(profile.scheduler, name) <= 1.0:
            raise ValueError(f"calibration profile: scheduler.{name}: expected between 1 µs and 1 s")
    return profile


def of_sizes(profile: Profile, sizes: Mapping[str, float]) -> Profile:
    """The profile with demands for these sizes; what was not measured at two sizes stays as it is, and so does a
    fallback path's surplus."""
    if all(sizes.get(each.size, each.at) == each.at for each in profile.sizes):
        return profile
    factors: dict[tuple[str, str], float] = {}
    for share in profile.sizes:
        grown = 1.0 - share.share + share.share * sizes.get(share.size, share.at) / share.at
        key = share.operation, share.process
        factors[key] = factors.get(key, 1.0) * grown
    demands = []
    usual = {(each.operation, each.process): each for each in profile.demands}
    for each in profile.demands:
        name = each.operation.removesuffix(DEGRADED)
        factor = factors.get((name, each.process), 1.0)
        less = usual.get((name, each.process))
        if name == each.operation or less is None:
            demands.append(_times(each, factor) if name == each.operation else each)
        else:
            more = (factor - 1.0) * np.array([less.at(rate) for rate in each.rates_per_second])
            kept = np.maximum(0.0, np.array(each.cpu_seconds) + more)
            demands.append(msgspec.structs.replace(each, cpu_seconds=tuple(kept.tolist())))
    return msgspec.structs.replace(profile, demands=tuple(demands), sizes=())


def has_errors(profile: Profile) -> bool:
    """Whether calibration said how sure its demands are."""
    return any(each.error_ratio for each in profile.demands)


def errors(profile: Profile) -> dict[str, float]:
    """Standard error of each operation's CPU on all processes, over it, at the highest rates; those that have one."""
    whole, unsure = dict[str, float](), dict[str, float]()
    for each in profile.demands:
        whole[each.operation] = whole.get(each.operation, 0.0) + each.cpu_seconds[-1]
        unsure[each.operation] = unsure.get(each.operation, 0.0) + each.cpu_seconds[-1] * each.error_ratio
    return {name: unsure[name] / seconds for name, seconds in whole.items() if seconds and unsure[name]}


def drawn(profile: Profile, seed: int) -> Profile:
    """The profile as another calibration might have it: everything by one factor (`BETWEEN_CALIBRATIONS_RATIO`), and
    the demands of each operation by their own error. Factors are lognormal with a mean of 1. All processes of an
    operation are high or low together, as they are from one measured point to another; and so is its fallback path,
    because only the difference of both is used. A profile without errors stays as it is."""
    if not has_errors(profile):
        return profile

    def factor(name: str, error_ratio: float) -> float:
        spread = math.sqrt(math.log1p(error_ratio**2))
        standard = NormalDist().inv_cdf(streams.named(seed, f"calibration.error {name}").uniform(0))
        return math.exp(spread * standard - spread**2 / 2.0)

    whole = factor("", BETWEEN_CALIBRATIONS_RATIO)
    demands = tuple(
        _times(each, whole * factor(each.operation.removesuffix(DEGRADED), each.error_ratio))
        for each in profile.demands
    )
    return msgspec.structs.replace(profile, demands=demands)


def under_mix(profile: Profile) -> Profile:
    """The profile with demands as they are under a mix of operations, and ratios of 1; one without ratios stays as it
    is."""
    ratios = profile.mix_cpu_ratio
    if all(ratio == 1.0 for ratio in ratios.values()):
        return profile
    demands = tuple(_times(each, ratios.get(each.process, 1.0)) for each in profile.demands)
    return msgspec.structs.replace(profile, demands=demands, mix_cpu_ratio=dict.fromkeys(ratios, 1.0))


def _times(demand: CpuDemand, factor: float) -> CpuDemand:
    return msgspec.structs.replace(demand, cpu_seconds=tuple(value * factor for value in demand.cpu_seconds))


def _check(demand: CpuDemand, where: str) -> None:
    """Raise ValueError where the figures are not those of a measurement."""
    rates = demand.rates_per_second
    if not rates or list(rates) != sorted(rates):
        raise ValueError(f"calibration profile: {where}.rates_per_second: expected at least one rate, ascending")
    if len(demand.cpu_seconds) != len(rates) or min(demand.cpu_seconds) < 0:
        raise ValueError(f"calibration profile: {where}.cpu_seconds: expected a time of at least 0 for each rate")
    if not 0.0 <= demand.error_ratio <= 1.0:
        raise ValueError(f"calibration profile: {where}.error_ratio: expected from 0 to 1")


def scaled(profile: Profile, factor: float) -> Profile:
    """The profile of a machine that needs ``factor`` × the CPU time for everything; waits stay as they are."""
    if not factor > 0:
        raise ValueError(f"speed factor {factor}: expected more than zero")
    demands = tuple(_times(each, factor) for each in profile.demands)
    refusal = None if profile.refusal_cpu_seconds is None else profile.refusal_cpu_seconds * factor
    background = {name: ratio * factor for name, ratio in profile.background_cpu_ratio.items()}
    work = fixed_work.scaled(profile.fixed_work, factor) if profile.fixed_work is not None else None
    return msgspec.structs.replace(
        profile,
        demands=demands,
        background_cpu_ratio=background,
        fixed_work=work,
        refusal_cpu_seconds=refusal,
    )
