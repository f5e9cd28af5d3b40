"""The same operations from a terminal: what is here reads arguments, runs a job or asks the catalog, shows the outcome.

A rule about mappings, snapshots or instances does not belong here: the jobs must know it as well.
"""
