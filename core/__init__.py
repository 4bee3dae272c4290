"""Pure, typed values and decisions that every other package imports."""
