"""The gate in front of an engine: what a reader or a writer may ask, decided from the text, then from the plan.

Not here: running what was let through (`graph_platform.engine.kuzu_family`), and who is a reader (the server). Nothing
in it imports an engine.
"""
