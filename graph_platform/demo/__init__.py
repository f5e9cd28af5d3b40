"""The demo: real flight data, its mapping, and the walk from tables to an answered question.

Nothing of the platform depends on it but the default config of the jobs.
"""
