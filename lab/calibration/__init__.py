"""The measurements of a calibration (points and series) and how they become the demands of a profile."""
