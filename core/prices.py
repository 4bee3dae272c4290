"""Prices that more than one bill asks a price book for, by their ids there."""

from __future__ import annotations

from typing import Final

#: What the CDN's bytes cost; where their viewers are stands behind it.
CDN_BYTES_PRICE: Final = "cdn.cloudfront.egress."
#: Where viewers are where nothing says otherwise, as the CDN's prices name it.
VIEWERS: Final = "us+ca+mx"
