"""Partitions of many keys at once: `core.policies.partition.partition_of` for numbers in decimal digits.

A run needs one for each author and for each request that writes; computed one by one they took a tenth of a short run.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
_Words = npt.NDArray[np.uint32]

_M: Final = np.uint32(0x5BD1E995)
_SEED: Final = 0x9747B28C
#: Digits of the largest number.
_DIGITS_MAX: Final = 19


def partitions_of(numbers: Ints, partitions: int) -> Ints:
    """The partition that each of the numbers, none below 0, goes to."""
    found = np.empty(len(numbers), dtype=np.int64)
    lengths = 1 + np.searchsorted(10 ** np.arange(1, _DIGITS_MAX, dtype=np.int64), numbers, side="right")
    for length in np.unique(lengths).tolist():
        rows = np.flatnonzero(lengths == length)
        digits = numbers[rows, None] // 10 ** np.arange(length - 1, -1, -1, dtype=np.int64) % 10
        found[rows] = (_murmur2((digits + ord("0")).astype(np.uint32)) & np.uint32(0x7FFFFFFF)) % partitions
    return found


def _murmur2(data: _Words) -> _Words:
    """`core.policies.partition.murmur2` of every row of bytes."""
    length = data.shape[1]
    whole = length & ~3
    h = np.full(len(data), (_SEED ^ length) & 0xFFFFFFFF, dtype=np.uint32)
    for at in range(0, whole, 4):
        k = _word(data[:, at : at + 4]) * _M
        k = (k ^ k >> np.uint32(24)) * _M
        h = h * _M ^ k
    if whole < length:
        h = (h ^ _word(data[:, whole:])) * _M
    h = (h ^ h >> np.uint32(13)) * _M
    return h ^ h >> np.uint32(15)


def _word(data: _Words) -> _Words:
    """Bytes as one number, the lowest first."""
    found = np.zeros(len(data), dtype=np.uint32)
    for index in range(data.shape[1]):
        found |= data[:, index] << np.uint32(8 * index)
    return found
