"""Decisions that the live services and the model share: pure functions, so a changed rule moves both sides."""
