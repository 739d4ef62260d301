"""Access control of the page: requests need its key, its own origin, and the address it listens on.

Belongs here: the checks before any route. Does not belong here: routes (server.py).

A page on this machine can be reached by every other page in the same browser. The check of Host protects against a
foreign name that resolves to it (DNS rebinding). The check of Origin and a same-site cookie protect against foreign
pages that post to it (CSRF). The key protects against other users of the machine or the network.
"""

import hmac
import ipaddress
import socket
from collections.abc import Awaitable, Callable
from http.cookies import SimpleCookie
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; media-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    b"content-security-policy": POLICY.encode(),
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-resource-policy": b"same-origin",
    b"cache-control": b"no-store",
}


def is_own_host(header: str, host: str, port: int) -> bool:
    """Return whether a Host header names the address we listen on.

    If that is every address (0.0.0.0, ::), any numeric address, `localhost` and the machine's name are accepted. A name
    that somebody else can resolve to us is not.
    """
    name, _, asked_port = header.rpartition(":") if not header.endswith("]") else (header, "", "")
    if not name:
        name, asked_port = header, ""
    if (int(asked_port) if asked_port.isdecimal() else 80) != port:
        return False
    name = name.strip("[]").lower()
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return name in ("localhost", host.lower()) or (_is_any(host) and name == socket.gethostname().lower())
    return _is_any(host) or name == host or (address.is_loopback and host in ("localhost", "127.0.0.1", "::1"))


def _is_any(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


class Guard:
    """ASGI middleware that refuses foreign requests (403) and hardens the headers of every response.

    Args:
        host, port: what the server listens on.
        key: `/?key=…` is exchanged for a cookie; all other requests need that cookie.
    """

    def __init__(self, app: ASGIApp, host: str, port: int, key: str) -> None:
        self.app, self.host, self.port, self.key = app, host, port, key
        self.cookie = f"speakervid_review_{port}"  # cookies are shared between the ports of a host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        answer = self._refusal(scope) if scope["type"] == "http" else PlainTextResponse("no", 403)
        await (answer or self.app)(scope, receive, _hardened(send))

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not is_own_host(host, self.host, self.port):
            return PlainTextResponse("This server does not answer to that host name.", 403)
        if scope["method"] not in ("GET", "HEAD") and headers.get("origin") != f"http://{host}":
            return PlainTextResponse("Only the page itself may send answers.", 403)
        given = parse_qs(scope["query_string"].decode("latin-1")).get("key", [""])[0]
        if scope["path"] == "/" and self._is_key(given):
            entry = RedirectResponse("/", 303)
            entry.set_cookie(self.cookie, self.key, httponly=True, samesite="strict")
            return entry
        sent = SimpleCookie(headers.get("cookie", "")).get(self.cookie)
        if sent is None or not self._is_key(sent.value):
            return PlainTextResponse("Open the address that `speakervid review` printed; it contains the key.", 403)
        return None

    def _is_key(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self.key.encode())


def _hardened(send: Send) -> Callable[[Message], Awaitable[None]]:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            own = [(k, v) for k, v in message.get("headers", []) if k.lower() not in HEADERS]
            message = {**message, "headers": [*own, *HEADERS.items()]}
        await send(message)

    return sending
