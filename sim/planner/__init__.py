"""The planner: demand and intent in, counts, latency, availability and a bill out; closed forms, no simulation.

Read in this order: `workload` (a day's acts → rates), `legs` and `demands` (what an operation costs, from the pages
that the engines run), `loads` and `stations` and `latency` (who waits where), `targets` (how busy anything may be),
`tiers` and `size` (how many), `candidates` (of what), `outlook` (knees and headroom), `availability`, `spending` (into
`sim.cost`), `uncertainty`, and `plan`, which calls them all. `cells` writes a planned fleet as a scenario.
"""
