"""Servers and tasks as processes of this machine, each with a folder of its own under the home."""
