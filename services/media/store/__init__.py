"""The media worker's data: rows, the CDN, the scanner."""
