"""Files on disk: runs, comparisons, calibration profiles, scenarios. All reading and writing of them is here."""
