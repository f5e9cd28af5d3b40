"""Instances: the place where they run (`Runtime`: local processes) and the program that one is (`server/`).

Not here: which instances there should be, and until when (`graph_platform.lifecycle`, `graph_platform.catalog`).
"""
