"""How anything is shown: figures as text, tables, charts, pages, progress. Nothing here knows where a figure is
from."""
