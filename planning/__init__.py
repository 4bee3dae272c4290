"""Answers for fleets. A folder for each subject, with its numbers, its text and its page.

`plan` (how many machines), `cost` (prices and bills), `sweep`, `diff` and `tune` (studies of settings), `fleet` (a
large system from simulated cells), `audit` (published designs computed again). `simulations` runs what they simulate.
"""
