"""The floor of the house: pure, typed values and decisions that every other folder stands on."""
