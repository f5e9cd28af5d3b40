"""Graph Platform: governed, disposable graph databases made from warehouse tables."""

__version__ = "0.1.0"
