"""What a simulation's output says, and how surely: warm-up, histograms, replications, differences.

Rooms: `warmup` (where the steady state begins), `histogram` (latencies in bounded memory), `replications` (intervals
from independent runs, and when to stop), `paired` (two scenarios under common random numbers).
Intervals are `core.stats.Estimate`, at 95 %.
"""
