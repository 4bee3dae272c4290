"""The readable engine: SimPy runs a `PreparedRun`, one generator for each thread of control.

`state` holds everything that changes while the run lasts; `interpreter` executes a program's instructions on it.
"""
