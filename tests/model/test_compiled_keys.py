"""Partitions that the compiled engine works out for many keys at once are those of the rule that services follow."""

from __future__ import annotations

import numpy as np
import pytest

from core.policies.partition import partition_of
from sim.compiled.keys import partitions_of


@pytest.mark.parametrize("partitions", [1, 3, 12, 4_000])
def test_keys_of_any_length_go_where_the_rule_says(partitions: int) -> None:
    ends = [each for digits in range(19) for each in (10**digits - 1, 10**digits)]
    drawn = np.random.default_rng(7).integers(0, 2**62, 2_000) >> np.arange(2_000) % 62
    numbers = np.concatenate([np.array(ends), drawn, [2**63 - 1]])
    expected = [partition_of(str(number).encode(), partitions) for number in numbers.tolist()]
    assert partitions_of(numbers, partitions).tolist() == expected


def test_no_keys_go_nowhere() -> None:
    assert partitions_of(np.array([], dtype=np.int64), 3).tolist() == []
