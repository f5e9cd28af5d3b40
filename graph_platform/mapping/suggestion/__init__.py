"""A mapping made from tables: keys, references, labels and columns that fit, with a note on every guess.

Asking the warehouse what has to be known is `graph_platform.proving`.
"""
