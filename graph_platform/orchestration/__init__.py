"""Dagster only: resources, ops and jobs. Thin: config in, one call of `graph_platform.platform`, metadata out.

A rule about mappings, snapshots or instances belongs in the rooms below; what is here knows runs, not graphs.
"""
