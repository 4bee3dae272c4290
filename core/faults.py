"""The combined effect of faults on one link, and whether each of them can be proven while the others act. Pure.

Both sides use it: the warden proves a fault by the change that it makes, and a scenario with a fault whose change
cannot be seen is refused before either side runs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

#: A change smaller than this cannot be distinguished from the noise of a shared machine.
PROVABLE_SECONDS: Final = 0.01
#: A limited bandwidth is proven by a request that takes this long to pass.
BANDWIDTH_SECONDS: Final = 0.3
#: Bytes to which a question to each kind of server can be padded.
QUESTION_BYTES_MAX: Final = {
    "redis": 512 * 1024,
    "postgres": 9_000,  # MAX_STARTUP_PACKET_LENGTH is 10,000
    "kafka": 30_000,
    "clamd": 256 * 1024,
    "http": 512 * 1024,
}
#: The longest question and answer of a probe that is not padded.
_SMALL_BYTES: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What a fault does to a link, in the numbers that the warden proves and both engines use.

    Each kind of fault sets only its own fields; 0 means no such effect.
    """

    delay_seconds: float = 0.0  # of every answer …
    jitter_seconds: float = 0.0  # … plus or minus this, uniformly
    rate_bytes: float = 0.0  # per second, each way
    silent: bool = False  # answers never come
    closes_seconds: float = 0.0  # after which a silent link closes a connection; 0: never
    resets: bool = False  # connections are closed as soon as data passes
    refuses: bool = False  # connections are refused
    carries_bytes: int = 0  # after which a connection is cut, each way
    lingers_seconds: float = 0.0  # from a close until the caller sees it


class Question(NamedTuple):
    """The request that proves a fault: its length, and the event to wait for."""

    size_bytes: int = 0  # to which it is padded; 0: as short as possible
    closes: bool = False  # wait until the server closes the connection after its answer


def protocol(link: str) -> str:
    """The protocol of a link: redis, postgres, kafka, clamd or http."""
    caller, _, callee = link.partition("_")
    return callee if callee in ("redis", "postgres", "kafka", "clamd") and caller != "gateway" else "http"


def is_hidden(effect: Effect, others: Iterable[Effect], speaks: str) -> bool:
    """Whether one of ``others`` cuts or silences the link, so that the fault makes no visible change."""
    others, asked = tuple(others), question(effect, speaks)
    if any(other.refuses or 0 < other.carries_bytes < max(asked.size_bytes, _SMALL_BYTES) for other in others):
        return True
    # a link that refuses can be distinguished from one that resets or is silent
    return not effect.refuses and any(other.resets or other.silent for other in others)


def question(effect: Effect, speaks: str) -> Question:
    """The question that proves a fault."""
    if effect.rate_bytes:
        return Question(size_bytes=min(round(effect.rate_bytes * BANDWIDTH_SECONDS), QUESTION_BYTES_MAX[speaks]))
    if effect.carries_bytes:
        return Question(size_bytes=min(effect.carries_bytes + margin_bytes(speaks), QUESTION_BYTES_MAX[speaks]))
    return Question(closes=bool(effect.lingers_seconds))


def margin_bytes(speaks: str) -> int:
    """Bytes by which a question exceeds what a connection carries, so that it is cut: HTTP pads by whole requests."""
    return 14_000 if speaks == "http" else 100


def is_timed(effect: Effect) -> bool:
    """Whether the time that an answer takes is the proof of a fault."""
    return bool(effect.delay_seconds or effect.rate_bytes or effect.lingers_seconds)


def longest_seconds(others: Iterable[Effect], asked: Question) -> float:
    """The most that ``others`` add to the time of an answer, which may be as long as the question."""
    total = 0.0
    for other in others:
        total += other.delay_seconds + other.jitter_seconds
        if other.rate_bytes:
            total += (2 * asked.size_bytes + _SMALL_BYTES) / other.rate_bytes
    return total


def own_seconds(effect: Effect, others: Iterable[Effect], speaks: str) -> float:
    """How much longer than `longest_seconds` an answer takes because of a fault that is proven by time: its latency
    minus its jitter, or half of the padded question's time, minus the possible variation of ``others``."""
    varies, asked = 0.0, question(effect, speaks)
    for other in others:
        varies += 2 * other.jitter_seconds
        if other.rate_bytes:
            varies += (2 * asked.size_bytes + _SMALL_BYTES) / other.rate_bytes
    if effect.delay_seconds:
        # Toxiproxy draws from latency ± jitter in whole milliseconds
        return max(effect.delay_seconds / 2, effect.delay_seconds - effect.jitter_seconds) - 0.001 - varies
    if effect.lingers_seconds:
        return effect.lingers_seconds - 0.001 - varies
    return asked.size_bytes / effect.rate_bytes / 2 - varies if effect.rate_bytes else -varies


def is_provable(effect: Effect, others: Iterable[Effect], speaks: str) -> bool:
    """Whether a fault makes a change that a probe can see while ``others`` act on the same link."""
    others = tuple(others)
    if is_hidden(effect, others, speaks):
        return False
    if effect.carries_bytes and effect.carries_bytes + margin_bytes(speaks) > QUESTION_BYTES_MAX[speaks]:
        return False
    return not is_timed(effect) or own_seconds(effect, others, speaks) >= PROVABLE_SECONDS


def probe_seconds(effect: Effect, others: Iterable[Effect], speaks: str) -> float:
    """The minimum length of a period without changes in which a probe fits."""
    together = (effect, *others)
    closed = sum(each.lingers_seconds for each in together)
    return 0.3 + closed + longest_seconds(together, question(effect, speaks))
