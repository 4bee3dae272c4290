"""Presentation: figures as text, tables, charts, pages, progress; independent of what the figures mean."""
