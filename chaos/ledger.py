"""The ledger: everything that was acknowledged to clients, and how much of it the public API shows afterwards.

The load generator writes a line for each acknowledged write; `check` looks for each of them in the running system. A
claim that is not found is checked again for some seconds, because some answers come from data that the log fills.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp

from chaos.checks import CHECKS, Asked, CheckResult

#: Concurrent checks.
CONCURRENCY: Final = 8
#: A claim is lost when it has not been found for this long.
SETTLE_SECONDS: Final = 5.0
_AGAIN_SECONDS: Final = 0.5
_TIMEOUT_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One acknowledged request; ``ids`` are user_id, post_id, comment_id, media_id …"""

    operation: str
    person: int
    ids: Mapping[str, str]
    at_seconds: float  # from t0, when the client got the acknowledgement


class LedgerError(OSError):
    """The acknowledged writes could not be checked, so nothing is known about them; the message says why."""


def read(acknowledged: Path) -> tuple[Claim, ...]:
    """Read the generator's ``acknowledged.jsonl``; raises LedgerError that names the line."""
    claims = []
    try:
        lines = acknowledged.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise LedgerError(f"{acknowledged}: {error.strerror}") from error
    for number, line in enumerate(lines, start=1):
        try:
            values = json.loads(line)
            claims.append(
                Claim(
                    operation=str(values["operation"]),
                    person=int(values["person"]),
                    ids={name: str(value) for name, value in values.items() if name.endswith("_id")},
                    at_seconds=float(values["at_seconds"]),
                )
            )
        except (ValueError, KeyError, TypeError) as error:
            raise LedgerError(f"{acknowledged}:{number}: not an acknowledgement: {error!r}") from error
    return tuple(claims)


def standing(claims: Iterable[Claim]) -> tuple[Claim, ...]:
    """Claims that can be checked and must still be true: of one person's likes and unlikes of a post, only the one that
    was acknowledged last."""
    last: dict[tuple[str, ...], Claim] = {}
    for claim in sorted(claims, key=lambda each: each.at_seconds):
        about = "like" if claim.operation.startswith("like.") else claim.operation
        last[(about, str(claim.person), *sorted(claim.ids.values()))] = claim
    return tuple(claim for claim in last.values() if claim.operation in CHECKS)


async def check(
    acknowledged: Path, gateway_url: str, seeded: Path, *, settle_seconds: float = SETTLE_SECONDS
) -> dict[str, int]:
    """Look for everything that was acknowledged, as the person who wrote it; needs the stack running.

    Returns counts such as ``like.add.acknowledged``, ``like.add.found``, ``like.add.lost``, by operation. Raises
    LedgerError when the files cannot be read or the system does not answer.
    """
    claims = standing(read(acknowledged))
    tokens = _tokens(seeded) if claims else {}
    counts = {f"{name}.{word}": 0 for name in sorted({c.operation for c in claims}) for word in _WORDS}
    failures: list[BaseException] = []
    room = asyncio.Semaphore(CONCURRENCY)
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS)
    connector = aiohttp.TCPConnector(limit=CONCURRENCY)
    async with aiohttp.ClientSession(base_url=gateway_url, timeout=timeout, connector=connector) as client:

        async def settle(claim: Claim) -> None:
            async with room:
                found = await _settled(client, claim, tokens, settle_seconds)
            counts[f"{claim.operation}.acknowledged"] += 1
            counts[f"{claim.operation}.{'found' if found else 'lost'}"] += 1

        try:
            async with asyncio.TaskGroup() as group:
                for claim in claims:
                    group.create_task(settle(claim))
        except* LedgerError as errors:
            failures += errors.exceptions
    if failures:
        raise LedgerError(str(failures[0]))
    return counts


_WORDS: Final = ("acknowledged", "found", "lost")


async def _settled(
    client: aiohttp.ClientSession, claim: Claim, tokens: Mapping[int, str], settle_seconds: float
) -> bool:
    """Ask until the claim is found or has not been for ``settle_seconds``; raises LedgerError without any answer."""
    if claim.person not in tokens:
        raise LedgerError(f"person {claim.person} of the ledger was not seeded")
    asked = Asked(client=client, token=tokens[claim.person], ids=claim.ids)
    loop = asyncio.get_running_loop()
    deadline = loop.time() + settle_seconds
    while True:
        try:
            found = await CHECKS[claim.operation](asked)
        except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError) as error:
            found, trouble = CheckResult.UNKNOWN, repr(error)
        else:
            trouble = "an error answer"
        if found is CheckResult.YES:
            return True
        if loop.time() >= deadline:
            if found is CheckResult.UNKNOWN:
                raise LedgerError(f"cannot check whether {claim.operation} of {dict(claim.ids)} was kept: {trouble}")
            return False
        await asyncio.sleep(_AGAIN_SECONDS)


def _tokens(seeded: Path) -> dict[int, str]:
    """Person → access token, from the files of seeding."""
    path = seeded / "people.jsonl"
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        return {int(row["person"]): str(row["token"]) for row in rows}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LedgerError(f"{path}: {error!r}") from error
