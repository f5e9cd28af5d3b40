"""Asking a server how it is, for the runtimes."""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

STATUS_SECONDS = 2.0


def server_status(url: str, token: str) -> dict[str, Any] | None:
    """The server's `/status`, None if it does not answer in time."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=STATUS_SECONDS)
    try:
        connection.request("GET", "/status", headers={"Authorization": f"Bearer {token}"})
        response = connection.getresponse()
        document = json.loads(response.read())
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()
    return document if response.status == 200 and isinstance(document, dict) else None
