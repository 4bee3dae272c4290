"""The planner: demand and intent in, counts, latency, availability and a bill out; closed forms, no simulation.

Read in this order: `workload` (a day's acts → rates), `legs` and `demands` (what an operation costs, from the pages
that the engines run), `loads` and `stations` and `latency` (who waits where), `targets` (how busy anything may be),
`tiers`, `rooms` and `size` (how many), `candidates` (of what), `outlook` (knees and headroom), `availability` and
`spares`, `spending` (into `planning.cost`), `margins` and `terms` (what other asks would cost), `acts`, `worlds` and
`uncertainty` (how sure), and `plan`, which calls them all. `cells` writes a planned fleet as a scenario.
"""
