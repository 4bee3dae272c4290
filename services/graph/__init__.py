"""Who follows whom: both directions stored, counts exact."""
