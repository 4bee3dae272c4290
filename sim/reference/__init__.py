"""The readable engine: SimPy runs a prepared run, one Python process for each thread of control.

`state` holds everything that changes while the run lasts; `interpreter` executes a program's instructions on it.
"""
