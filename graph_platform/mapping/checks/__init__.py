"""What can be wrong with a mapping, stage by stage, as problems with a code, a place and a fix.

Here are the questions and what an answer means. Asking a warehouse is `graph_platform.proving`.
"""
