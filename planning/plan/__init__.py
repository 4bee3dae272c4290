"""The planner: demand and intent in; counts, latency, availability and a bill out. Closed forms, no simulation.

`answer` calls everything else, in this order:

- `brief` gathers what is known before anything is sized; `demand/` turns a day's acts into rates and stored bytes.
- `queueing/` says what an operation costs, from the flows that the engines run, and how long it takes at a given load.
- `sizing/` decides how many of what: instances, spares, machines, availability, the bill, and what other terms cost.
- `certainty/` evaluates the plan over draws of its uncertain inputs.

`words` phrases single facts; `text` (terminal), `page` (report) and `record` (JSON) are the forms of one plan.
"""
