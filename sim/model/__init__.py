"""What is simulated, before anything happens: flows of operations, their demands, the people and posts, the layout,
caches.

Read in this order: `flow` (steps), `components` (each component's operations as flows), `layout` and `content` (who and
what there is), `compiler` and `program` (flows as a table of instructions), `resources` (stations, links, pools and
caches as values), `prepared` (all of it for one run). Every engine starts from the same `prepared.PreparedRun`.
"""
