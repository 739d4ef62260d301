"""Talking to servers that tests start on this machine.

Belongs here: a port, whether somebody answers, Dagster's GraphQL. Does not belong here: starting and ending them.
"""

import json
import socket
import urllib.error
import urllib.request
from typing import Any

HOST = "127.0.0.1"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except (urllib.error.URLError, OSError):
        return False


def graphql(url: str, query: str, **variables: Any) -> dict[str, Any]:
    """The data of an answer of the Dagster webserver at `url`."""
    body = json.dumps({"query": query, "variables": variables}).encode()
    request = urllib.request.Request(f"{url}/graphql", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as answer:
        told = json.load(answer)
    assert "errors" not in told, told
    found: dict[str, Any] = told["data"]
    return found
