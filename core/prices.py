"""Ids in the price book that more than one bill uses."""

from __future__ import annotations

from typing import Final

#: Price of the CDN's bytes; followed by the location of the viewers.
CDN_BYTES_PRICE: Final = "cdn.cloudfront.egress."
#: Default location of viewers, as the CDN's prices name it.
VIEWERS: Final = "us+ca+mx"
