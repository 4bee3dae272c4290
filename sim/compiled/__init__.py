"""The compiled engine: the same program as SimPy walks, run by numba over arrays; the same sample path, far faster.

`engine` runs a prepared run; `draft` and `tables` make its arrays, `loop` and `walk` are the compiled code, `kept` says
where that is kept, and `warm` compiles it before it is needed.
"""
