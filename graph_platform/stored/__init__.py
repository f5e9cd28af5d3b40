"""What lies in storage, as data: the layout of keys, the manifest of a snapshot, and the installation's mark.

Not here: how bytes get there (`storage`), and when (`snapshot`).
"""
