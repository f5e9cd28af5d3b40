"""Programs that run once, in a process of their own that a runtime starts: that process, and a module per program.

A program is a module with a function `run(order, task)`, which returns the result. What it works on and what it makes
lies in storage, so that it runs wherever storage is reached. Not here: who starts one and what for (`runtime`, the
services), and programs that answer for as long as they live (`server`).
"""
