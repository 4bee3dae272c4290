"""How many instances may be down, where a whole zone may be lost, and how many must be bought for it."""

from __future__ import annotations

from planning.plan.brief import Brief


def down(brief: Brief, count: int, spare: int) -> int:
    """How many of ``count``, spread evenly over the zones, may be down: the spares, or those in the lost zones."""
    return max(spare, brief.intent.lose_zones * -(-count // brief.intent.zones))


def with_spares(brief: Brief, working: int, spare: int) -> int:
    """The smallest number of machines of which ``working`` are left."""
    count = working + spare
    while count - down(brief, count, spare) < working:
        count = working + down(brief, count, spare)
    return count
