"""The readable engine: SimPy runs a `PreparedRun`, with one generator for each thread of control.

`state` holds everything that changes during a run; `interpreter` executes a program's instructions on it.
"""
