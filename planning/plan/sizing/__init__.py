"""How many instances of what: counts, machine shapes, spares, availability and what a month of it costs."""
