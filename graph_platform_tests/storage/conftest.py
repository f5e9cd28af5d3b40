"""The servers that answer for the clouds' storage."""

from __future__ import annotations

from graph_platform_tests.services.buckets import gcs_endpoint, gs_url, s3_endpoint, s3_url

__all__ = ["gcs_endpoint", "gs_url", "s3_endpoint", "s3_url"]
