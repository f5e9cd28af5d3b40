"""Servers and tasks as pods of one namespace.

`manifests.py` says what is made, `attempts.py` in which order and why, `pods.py` what a pod's status means.
"""
