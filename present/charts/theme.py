"""The frame shared by all charts, and their output as inline SVG and PNG.

In a page with a light and a dark theme the SVG uses CSS variables for colours, so one drawing serves both.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

import altair as alt

from core.names import Origin
from present.palette import Palette

#: Measured is solid, simulated dashed.
DASH: Final = {Origin.MEASURED: [1, 0], Origin.SIMULATED: [5, 3]}
_SIZE: Final = re.compile(r'(<svg[^>]*?) width="[^"]*" height="[^"]*"')
_COORDINATES: Final = re.compile(r' (?:d|transform|x1|x2|y1|y2|x|y|width|height)="[^"]*"')
_DECIMALS: Final = re.compile(r"(\d\.\d)\d+")
FONT: Final = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"


def mark(rows: Sequence[Any], kind: str, *, style: Mapping[str, Any], **channels: Mapping[str, Any] | str) -> alt.Chart:
    """One layer: ``rows`` (a dict each) as marks of a ``kind``; a channel given as text is a field's name.

    Marks and channels are plain Vega-Lite values and rows are a tuple, because Altair copies every object and list of a
    chart at each step of building it, which made a report ten times as slow; a tuple is kept by reference.
    """
    encoding: dict[str, Any] = {
        name: {"field": each, "type": "nominal" if name == "text" else "quantitative"}
        if isinstance(each, str)
        else each
        for name, each in channels.items()
    }
    data: Any = {"values": tuple(rows)}
    drawn: Any = {"type": kind, **style}
    return alt.Chart(data=data, mark=drawn, encoding=alt.FacetedEncoding(**encoding))


def layered(layers: Sequence[alt.Chart], *, width: int, height: int) -> alt.LayerChart:
    """Layers over each other, the first at the bottom."""
    return alt.LayerChart(layer=list(layers), width=width, height=height)


def limit_line(limit: float, name: str, palette: Palette, y: Mapping[str, Any] | str) -> list[alt.Chart]:
    """A horizontal line at a limit, in the unit of the axis ``y``, with its name at the left."""
    field = y if isinstance(y, str) else y["field"]
    row = [{field: limit, "name": name}]
    words = {"align": "left", "baseline": "bottom", "dx": 3, "dy": -2, "color": palette.stated}
    return [
        mark(row, "rule", style={"color": palette.stated, "strokeWidth": 1.4}, y=y),
        mark(row, "text", style=words, x={"value": 0}, y=y, text="name"),
    ]


def name_at(
    x: float | str,
    y: float,
    name: str,
    *,
    style: Mapping[str, Any],
    at: tuple[Mapping[str, Any] | str, ...] = ("x", "y"),
) -> alt.Chart:
    """A name at one point of the axes ``at``."""
    horizontal, vertical = at
    fields = [axis if isinstance(axis, str) else axis["field"] for axis in at]
    return mark(
        [{fields[0]: x, fields[1]: y, "name": name}], "text", style=style, x=horizontal, y=vertical, text="name"
    )


def blank(note: str, palette: Palette, *, width: int, height: int = 60) -> Any:
    """A finished chart without data, which says why there is none."""
    return framed(layered([mark([{"note": note}], "text", style={}, text="note")], width=width, height=height), palette)


def framed(chart: Any, palette: Palette) -> Any:
    """Apply the common style of axes, type and background to a finished chart."""
    chart.background = "transparent"
    chart.padding = {"left": 4, "right": 4, "top": 4, "bottom": 4}
    chart.config = {
        "aria": False,
        "font": FONT,
        "view": {"stroke": None},
        "axis": {
            "labelColor": palette.ink,
            "titleColor": palette.ink,
            "domainColor": palette.grid,
            "tickColor": palette.grid,
            "gridColor": palette.grid,
            "gridWidth": 1,
            "labelFontSize": 11,
            "titleFontSize": 11,
            "titleFontWeight": "normal",
        },
        "text": {"color": palette.ink, "fontSize": 11, "font": FONT},
    }
    return chart


def color_of(palette: Palette, origin: Origin) -> str:
    return palette.measured if origin is Origin.MEASURED else palette.simulated


def svg(chart: Any) -> str:
    """The chart as inline SVG that fills the width of its container.

    Coordinates are rounded to a tenth of a pixel, which halves the file; ids are made unique, because a page holds many
    drawings.
    """
    import vl_convert  # slow to import

    drawn: str = vl_convert.vegalite_to_svg(_spec(chart))
    drawn = _SIZE.sub(r"\1", drawn, count=1)
    drawn = _COORDINATES.sub(lambda match: _DECIMALS.sub(r"\1", match[0]), drawn)
    own = f"c{zlib.crc32(drawn.encode()):08x}"
    return drawn.replace('id="', f'id="{own}').replace("url(#", f"url(#{own}")


def png(chart: Any, *, scale: float = 2.0) -> bytes:
    """The chart as PNG; needs a palette of real colours."""
    import vl_convert  # slow to import

    drawn: bytes = vl_convert.vegalite_to_png(_spec(chart), scale=scale)
    return drawn


def _spec(chart: Any) -> dict[str, Any]:
    """The chart's specification; what these modules build is validated by their tests, not at every drawing."""
    found: dict[str, Any] = chart.to_dict(validate=False)
    return found
