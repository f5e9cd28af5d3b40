"""Processes that the kernel confines, for work that may take any amount of memory or time, or crash.

A program written by others (a database, a graph engine) runs statements of users there, one at a time in each process.
The starting side is `process` and `pool`, the other side `program`; `frames` is what they say to each other. What a
program does is its own module's business, and how a process ended is `graph_platform.processes.ending`'s to say.
"""
