"""What is kept on disk: runs, comparisons, calibration profiles, scenario files. Everything else reads them here."""
