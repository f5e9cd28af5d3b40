"""An engine's result as Arrow record batches, and these as JSON text; both a piece at a time.

Not here: running a statement (`graph_platform.engine.kuzu_family`), and how the text reaches whoever asked (the
server).
"""
