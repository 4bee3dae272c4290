"""What the media worker keeps and asks: rows, objects, the scanner."""
