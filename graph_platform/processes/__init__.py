"""Processes of a machine: which one a number means, who holds a lease, how one ended, and locks between them.

Not here: starting one. What is confined by the kernel is `graph_platform.confined`.
"""
