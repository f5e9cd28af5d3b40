"""Mappings proved on a warehouse: validation, data checks, suggestion, the schema cache, and the service over them.

The rules and the questions are `graph_platform.mapping`'s, and pure; here they are asked, side by side and with limits.
"""
