"""What stands between the network and the page: limits, headers, the log and the counts of
requests. An ASGI application around the finished one, so that it also covers what Gradio and
Starlette answer by themselves, their errors included.
"""

import asyncio
import logging
import re
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter
from prometheus_client import Histogram
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from demo.server.room import NO_ROOM, has_room
from demo.server.visitors import address_of

# Time that a client may pause within a body, in seconds.
BODY_SECONDS = 20
# Largest body of an upload and of any other request, in bytes.
UPLOAD_BYTES = 100 * 2**20
BODY_BYTES = 2**20
# Bytes of an upload that count as one; a larger upload counts as several.
UPLOAD_UNIT = 10 * 2**20
# Number of requests of one address that may be under way at a time: a class of raters may share it.
REQUESTS_AT_ONCE = 500

UPLOAD_ROUTE = "/gradio_api/upload"
# The routes of Gradio that the page, and programs that call it, need. Others of its routes
# fetch addresses, keep files for good, start programs at a stranger's word, or end the turn of a
# colorization that goes on (/cancel), so that one visitor has any number of them under way.
GRADIO_ROUTES = (
    *("/", "/config", "/favicon.ico", "/robots.txt", "/theme.css"),
    *("/assets/{path:path}", "/static/{path:path}", "/svelte/{path:path}"),
    *("/gradio_api/info", "/gradio_api/info/", "/gradio_api/app_id"),
    "/gradio_api/heartbeat/{session_hash}",
    *("/gradio_api/queue/join", "/gradio_api/queue/data", "/gradio_api/run/{api_name}"),
    *("/gradio_api/call/{api_name}", "/gradio_api/call/{api_name}/{event_id}"),
    *("/gradio_api/call/v2/{api_name}", "/gradio_api/call/v2/{api_name}/{event_id}"),
    *(UPLOAD_ROUTE, "/gradio_api/upload_progress", "/gradio_api/file={path_or_url:path}"),
)
# Files of other servers, which Gradio would fetch by the same route as its own.
ELSEWHERE = re.compile(r"/gradio_api/file=https?:", re.IGNORECASE)
UNKNOWN_ROUTE = "unknown"
CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",  # Gradio needs both
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self' data: blob:",
        "media-src 'self' blob:",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    ]
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
}

REQUEST_SECONDS = Histogram(
    "http_request_seconds",
    "Time from a request to the beginning of its answer.",
    ["method", "route", "status"],
)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Limits:
    """How many requests one address may send a minute, 0 for any number.

    Attributes:
        requests: POST requests; a class of raters may share one address.
        uploads: photos, one for each 10 MB begun.
        reads: GET requests; to open the page takes about a hundred.
    """

    requests: int = 3_000
    uploads: int = 60
    reads: int = 20_000


LIMITS = Limits()


class Guard:
    """Refuses, in one sentence each, requests that are too many, too large, too slow, or sent by
    another site's page; offers only the given routes; adds the headers; logs and counts by
    route, never by address, token or name.

    Args:
        app: what answers.
        offered: the routes' templates, as Starlette writes them.
        limits: per minute and address.
        root_path: path at which a proxy offers the page, such as "/fruit"; the proxy may take it
            away from a request's path or leave it there.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        offered: Iterable[str],
        limits: Limits = LIMITS,
        root_path: str = "",
    ) -> None:
        small = RequestBodyLimitMiddleware(app, max_body_size=BODY_BYTES)
        large = RequestBodyLimitMiddleware(app, max_body_size=UPLOAD_BYTES)
        self.app, self.small, self.large = app, small, large
        self.offered = {template: compile_path(template)[0] for template in offered}
        self.limits, self.root_path = limits, root_path
        self.limiter = FixedWindowRateLimiter(MemoryStorage())
        self.under_way: Counter[str] = Counter()  # by address

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        began = time.perf_counter()
        path = scope["path"].removeprefix(self.root_path)
        scope = {**scope, "root_path": self.root_path, "path": self.root_path + path}
        route = self._route(path)

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                _note(scope["method"], route, message["status"], time.perf_counter() - began)
            await send(message)

        if refusal := self._refusal(scope, route):
            return await refusal(scope, receive, answer)
        app, address = self.large if route == UPLOAD_ROUTE else self.small, address_of(scope)
        self.under_way[address] += 1
        try:
            await app(scope, _timely(receive), answer)
        finally:
            self.under_way[address] -= 1
            if not self.under_way[address]:
                del self.under_way[address]

    def _route(self, path: str) -> str:
        if not ELSEWHERE.match(path):
            for template, pattern in self.offered.items():
                if pattern.match(path):
                    return template
        return UNKNOWN_ROUTE

    def _refusal(self, scope: Scope, route: str) -> PlainTextResponse | None:
        address, headers = address_of(scope), Headers(scope=scope)
        if self.under_way[address] >= REQUESTS_AT_ONCE:
            return PlainTextResponse("Too many requests at once from this address.", 429)
        reads = scope["method"] in ("GET", "HEAD")
        origin = headers.get("origin")
        if not reads and origin and urlsplit(origin).netloc != headers.get("host"):
            return PlainTextResponse("This request comes from another site's page.", 403)
        costs = {"reads": 1} if reads else {"requests": 1}
        if route == UPLOAD_ROUTE:
            costs["uploads"] = _cost(headers.get("content-length", ""))
        for what, cost in costs.items():
            number = getattr(self.limits, what)
            counted = {"cost": min(cost, number)}
            if number and not self.limiter.hit(parse(f"{number}/minute"), what, address, **counted):
                many = "uploads" if what == "uploads" else "requests"
                sentence = f"Too many {many} from this address; please wait a minute."
                return PlainTextResponse(sentence, 429, {"Retry-After": "60"})
        if route == UNKNOWN_ROUTE:
            return PlainTextResponse("This page offers no such thing.", 404)
        if route == UPLOAD_ROUTE and not has_room():
            return PlainTextResponse(NO_ROOM, 507)
        return None


def _cost(length: str) -> int:
    """Number of uploads that a body of this Content-Length counts as; the most if there is none."""
    size = int(length) if length.isdecimal() else UPLOAD_BYTES
    return max(1, -(-min(size, UPLOAD_BYTES) // UPLOAD_UNIT))


def _note(method: str, route: str, status: int, seconds: float) -> None:
    method = method if method in ("GET", "HEAD", "POST") else "other"
    REQUEST_SECONDS.labels(method, route, status).observe(seconds)
    what = {"method": method, "route": route, "status": status}
    log.info("answered", extra={**what, "milliseconds": round(1000 * seconds, 1)})


def _timely(receive: Receive) -> Receive:
    """`receive` for a body that does not pause for longer than `BODY_SECONDS`."""
    complete = False

    async def receive_in_time() -> Message:
        nonlocal complete
        if complete:  # the next message is the end of the connection
            return await receive()
        try:
            message = await asyncio.wait_for(receive(), BODY_SECONDS)
        except TimeoutError:
            raise HTTPException(408, "The request did not arrive in time.") from None
        complete = not message.get("more_body", False)
        return message

    return receive_in_time
