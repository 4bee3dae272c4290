"""The compiled engine: it runs the same program as the SimPy engine, by numba over arrays; the same sample path, far
faster.

`engine` runs a prepared run. `draft` and `tables` make its arrays, `loop` and `walk` are the compiled code, `kept`
defines where the code is kept, and `warm` compiles it before it is needed.
"""
