"""What calibration measures, point by point, and how points become the demands of a profile."""
