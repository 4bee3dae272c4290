"""What an engine saw, and what can be said of it: laws that every run keeps, outcomes, intervals.

Read `observed` (what an engine hands over), `laws` (conservation, Little's law, work conservation), `outcomes`
(latencies and outcomes by operation); and for more than one run `histogram` (latencies in bounded memory), `warmup`
(where the steady state begins), `replications` (intervals from independent runs, and when to stop), `paired` (two
scenarios under common random numbers). Intervals are `core.stats.Estimate`, at 95 %.
"""
