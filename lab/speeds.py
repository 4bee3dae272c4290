"""What is said about the machine's speed: before the run, by the fixed work; after it, by the CPU that it used."""

from __future__ import annotations

from records.comparison import Comparison


def sentences(comparison: Comparison) -> tuple[str, ...]:
    """Without a capital and a full stop; none where nothing is known.

    The speed of the measured run is relative to the profile as it was calibrated, not to the scaled demand of the
    prediction.
    """
    found = []
    ahead, speed = comparison.simulated.speed_ahead, comparison.speed
    if ahead is not None:
        found.append(ahead.sentence)
    if speed is not None:
        when = "outside of faults " if comparison.faults else ""
        text = (
            f"{when}this run used {speed.ratio:.2f} × the CPU that the profile has for its requests "
            f"({speed.measured_cpu_seconds:.1f} s against {speed.calibrated_cpu_seconds:.1f} s)"
        )
        if comparison.simulated.speed != 1.0:
            text += f", {speed.ratio / comparison.simulated.speed:.2f} × what was predicted"
        found.append(text)
    return tuple(found)
