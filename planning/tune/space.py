"""What a search may vary: a field of the scenario with a range or a list of values, in the file's units."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from core.scenario import Scenario, flat
from planning.studies.grid import GridError, Settings, value_of
from planning.studies.values import ValueRange, ValueTextError, number, span, spread

#: A range between whole numbers of a unit that is at least this wide is searched in whole numbers.
_COARSE_MIN: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimension:
    """One field; either ``range`` or ``choices``. ``log`` searches by equal factors."""

    field: str
    range: ValueRange | None = None
    choices: tuple[str, ...] = ()
    log: bool = False

    @property
    def whole(self) -> bool:
        """Whether the range is searched in whole numbers of its unit."""
        if self.range is None:
            return False
        low, high = self.range.low, self.range.high
        written_whole = not (low.fraction or high.fraction)
        return (low.whole and high.whole) or (written_whole and high.value - low.value >= _COARSE_MIN)

    def text(self, value: Any) -> str:
        """A value of the search as the file writes it."""
        return str(value) if self.range is None else self.range.at(float(value))

    def distribution(self) -> Any:
        """The same for Optuna."""
        from optuna import distributions as optuna  # slow to import

        if self.range is None:
            return optuna.CategoricalDistribution(self.choices)
        low, high = self.range.low.value, self.range.high.value
        if self.whole:
            return optuna.IntDistribution(round(low), round(high), log=self.log)
        return optuna.FloatDistribution(low, high, log=self.log)

    def values(self, at_most: int) -> tuple[Any, ...]:
        """Every value that the search may take; none if there are more than ``at_most``."""
        if self.range is None:
            found: Sequence[Any] = self.choices
        elif self.whole:
            found = range(round(self.range.low.value), round(self.range.high.value) + 1)
        else:
            return ()
        return tuple(found) if len(found) <= at_most else ()

    def probes(self) -> tuple[str, ...]:
        """The ends and the middle, as the file writes them."""
        if self.range is None:
            found = [self.choices[0], self.choices[len(self.choices) // 2], self.choices[-1]]
        else:
            low, high = self.range.low.value, self.range.high.value
            middle = (low * high) ** 0.5 if self.log else (low + high) / 2.0
            found = [self.text(round(each) if self.whole else each) for each in (low, middle, high)]
        return tuple(dict.fromkeys(found))

    def parameter(self, value: str) -> Any:
        """The search's value for the text of a file; None if it is outside the range."""
        if self.range is None:
            return value if value in self.choices else None
        found = number(value)
        if found is None or found.unit != self.range.low.unit:
            return None
        if not self.range.low.value <= found.value <= self.range.high.value:
            return None
        if self.whole:
            return round(found.value) if found.value == round(found.value) else None
        return found.value

    def written(self) -> str:
        """As it was requested."""
        if self.range is None:
            return f"{self.field}={','.join(self.choices)}"
        how = ":log" if self.log else ""
        return f"{self.field}={self.range.low.text()}..{self.range.high.text()}{how}"


def dimension(text: str) -> Dimension:
    """Read ``field=A..B``, ``field=A..B:log`` or ``field=v1,v2,…``; raises GridError."""
    field, equals, values = (part.strip() for part in text.partition("="))
    if not equals or not field:
        raise GridError(f"{text!r}: expected field=range, such as system.fanout.threshold=10..10_000:log")
    try:
        found = span(values)
        if found is None:
            return Dimension(field=field, choices=spread(values))
    except ValueTextError as error:
        raise GridError(f"{field}: {error}") from error
    if found.how not in ("", "log"):
        raise GridError(f"{field}: expected nothing or log behind the colon, found {found.how!r}")
    if found.how == "log" and found.low.value <= 0:
        raise GridError(f"{field}: {values!r}: expected both ends above zero for equal factors (log)")
    return Dimension(field=field, range=found, log=found.how == "log")


def defaults(scenario: Scenario) -> tuple[Dimension, ...]:
    """The default dimensions: threshold, shard count, feed processes.

    The size of the edge cache is not among them: with few photos no objective depends on it.

    The threshold goes from half of the mean number of followers (nearly every post is pulled) to above the most
    followed author (every one is pushed). The mix of a page is not among them: no figure of a simulation says what a
    reader likes, so a search would only find the mix that is cheapest to serve.
    """
    follows, shards = scenario.population.follows, scenario.system.shards
    low, high = max(1, round(follows.mean / 2)), follows.maximum + 1
    physical = range(1, min(shards.logical, max(4, 2 * shards.physical)) + 1)
    feeds = scenario.system.feed.instances
    several = dict.fromkeys(str(count) for count in (max(1, feeds // 2), feeds, 2 * feeds, 4 * feeds))
    found = [dimension(f"system.fanout.threshold={low}..{high}:log")] if low < high else []
    found.append(Dimension(field="system.shards.physical", choices=tuple(str(count) for count in physical)))
    found.append(Dimension(field="system.feed.instances", choices=tuple(several)))
    return tuple(found)


def today(scenario: Scenario, dimensions: Sequence[Dimension]) -> Settings:
    """What the scenario itself has in these fields; raises GridError for a field that it does not have."""
    found = []
    for each in dimensions:
        value = value_of(scenario, each.field)
        if value is None:
            close = difflib.get_close_matches(each.field, flat(scenario), n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise GridError(f"{each.field}: the scenario has no value there that could be varied{hint}")
        found.append((each.field, value))
    return tuple(found)
