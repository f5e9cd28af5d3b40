"""Mappings proved on a warehouse: validation, data checks, suggestion and the schema cache.

The rules and the questions are `graph_platform.mapping`'s, and pure; here they are asked, side by side and with limits.
"""
