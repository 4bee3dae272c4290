"""The results of a run: what an engine observed, the laws that every run keeps, outcomes, intervals.

Read `observed` (what an engine returns), `laws` (conservation, Little's law, work conservation), `outcomes` (latencies
and outcomes by operation); and for several runs `histogram` (latencies in bounded memory), `warmup` (where the steady
state begins), `replications` (intervals from independent runs, and when to stop), `paired` (two scenarios with common
random numbers). Intervals are `core.stats.Estimate`, at 95 %.
"""
