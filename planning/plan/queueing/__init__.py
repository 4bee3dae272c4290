"""Latency of an operation in closed form: the queues on its path, at a load.

`paths` and `demands` (what an operation visits, and the CPU of each visit), `loads` (what a fleet's stations carry),
`stations` and `distributions` (waiting times), `latency` (percentiles of the whole path).
"""
