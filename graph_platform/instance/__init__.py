"""Instances: the order of steps of a launch, a suspension, an end, and what is shown of them.

Not here: the place where their servers run (`graph_platform.runtime`), what a server is (`graph_platform.server`), and
the transitions (`graph_platform.catalog`).
"""
