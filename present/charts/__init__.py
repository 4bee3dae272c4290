"""Charts of a pair of runs: pure functions from samples to Altair charts, one for page, SVG and PNG alike.

Measured lines are solid, simulated ones dashed, and lines are labelled where they end: no legend, no colour alone.
Importing this package imports Altair (about half a second); commands do so only when they draw.
"""

from present.charts.errors import signed_errors
from present.charts.latency import over_time
from present.charts.quantiles import by_percentile, distribution, quantile_quantile
from present.charts.theme import png, svg
from present.palette import CSS, DARK, LIGHT, Palette

__all__ = [
    "CSS",
    "DARK",
    "LIGHT",
    "Palette",
    "by_percentile",
    "distribution",
    "over_time",
    "png",
    "quantile_quantile",
    "signed_errors",
    "svg",
]
