"""Refused: a decision about a photo that no second try would change."""

from __future__ import annotations

from core.policies.photo import Refusal


class Refused(Exception):  # noqa: N818 - a decision about the photo, not an error of ours
    """The photo is refused, for good."""

    def __init__(self, refusal: Refusal, detail: str = ""):
        super().__init__(refusal, detail)
        self.refusal, self.detail = refusal, detail
