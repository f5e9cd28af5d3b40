"""Object storage behind one Protocol: whole objects under keys, for snapshots, database files and backups.

Not here: what the objects mean (`graph_platform.stored`), and the credentials of a bucket, which its own SDK finds.
"""
