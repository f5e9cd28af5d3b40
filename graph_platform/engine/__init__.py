"""The embedded graph databases (LadybugDB, Ryugraph) behind one Protocol: open, load, query, and what may be asked.

Not here: where files are kept, who may ask, and which instance runs where. One engine per process: importing both
wheels into one process breaks the second, and a crash in native code takes its process with it, so building, checking
and serving a database are processes of their own (`process.py`, `graph_platform.server`).
"""
