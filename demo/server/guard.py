"""What stands between the network and the page: limits, headers, the log and the counts of
requests. An ASGI middleware, so that it also covers what Gradio answers by itself.
"""

import asyncio
import ipaddress
import logging
import time
from collections import Counter
from urllib.parse import urlsplit

from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter
from prometheus_client import Histogram
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from demo.server.page import NO_ROOM, has_room

HEAD_SECONDS = 20  # that a client has to send the head of a request
BODY_SECONDS = 20  # that it may pause within a body
UPLOAD_BYTES = 100 * 2**20
BODY_BYTES = 2**20  # of all other requests

AT_ONCE = 500  # requests by one address that are being answered: a class of raters may share one

UPLOAD_ROUTE = "/gradio_api/upload"
# Gradio answers more than this page asks for: some of it fetches addresses, keeps files for good or
# starts programs on what a stranger sent.
CLOSED_ROUTES = (
    *("/gradio_api/custom_component/", "/gradio_api/deep_link", "/gradio_api/dev/"),
    *("/gradio_api/file/", "/gradio_api/file=http:", "/gradio_api/file=https:"),
    *("/gradio_api/process_recording", "/gradio_api/proxy=", "/gradio_api/stream/"),
    *("/gradio_api/undo-vibe-edit", "/gradio_api/vibe-", "/monitoring"),
)
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


class Guard:
    """Refuses, in one sentence each, what is too much, too slow or comes from another site's
    page; adds the headers; logs and counts by route, never by address, token or name.

    Args:
        app: what answers.
        requests: a minute and address; so many POST requests. 0: any number.
        uploads: a minute and address, likewise.
    """

    def __init__(self, app: ASGIApp, *, requests: int, uploads: int) -> None:
        small = RequestBodyLimitMiddleware(app, max_body_size=BODY_BYTES)
        large = RequestBodyLimitMiddleware(app, max_body_size=UPLOAD_BYTES)
        self.app, self.apps = small, {UPLOAD_ROUTE: large}
        self.limiter = FixedWindowRateLimiter(MemoryStorage())
        self.answering: Counter[str] = Counter()  # by address
        self.requests, self.uploads = requests, uploads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        began = time.perf_counter()

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                self._note(scope, message["status"], time.perf_counter() - began)
            await send(message)

        if refusal := self._refusal(scope):
            return await refusal(scope, receive, answer)
        app, address = self.apps.get(scope["path"], self.app), _address(scope)
        self.answering[address] += 1
        try:
            await app(scope, _impatient(receive), answer)
        finally:
            self.answering[address] -= 1
            if not self.answering[address]:
                del self.answering[address]

    def _refusal(self, scope: Scope) -> PlainTextResponse | None:
        if scope["path"].lower().startswith(CLOSED_ROUTES):
            return PlainTextResponse("This page offers no such thing.", 403)
        address = _address(scope)
        if self.answering[address] >= AT_ONCE:
            return PlainTextResponse("Too many requests at once from this address.", 429)
        if scope["method"] in ("GET", "HEAD"):
            return None
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        if origin and urlsplit(origin).netloc != headers.get("host"):
            return PlainTextResponse("This request comes from another site's page.", 403)
        allowed = {"requests": self.requests}
        if scope["path"] == UPLOAD_ROUTE:
            allowed["uploads"] = self.uploads
        for what, number in allowed.items():
            if number and not self.limiter.hit(parse(f"{number}/minute"), what, address):
                sentence = f"Too many {what} from this address; please wait a minute."
                return PlainTextResponse(sentence, 429, {"Retry-After": "60"})
        if scope["path"] == UPLOAD_ROUTE and not has_room():
            return PlainTextResponse(NO_ROOM, 507)
        return None

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", UNKNOWN_ROUTE)
        method = scope["method"] if scope["method"] in ("GET", "HEAD", "POST") else "other"
        REQUEST_SECONDS.labels(method, route, status).observe(seconds)
        what = {"method": method, "route": route, "status": status}
        log.info("answered", extra={**what, "milliseconds": round(1000 * seconds, 1)})


class Impatient(H11Protocol):
    """HTTP for clients that speak: one that sends no request, or its head drop by drop, the first
    or a later one, is hung up on after `HEAD_SECONDS`."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self._wait_for_a_request()

    def on_response_complete(self) -> None:
        answered = self.cycle
        super().on_response_complete()
        if self.cycle is answered:  # the next request is not there yet
            self._wait_for_a_request()

    def _wait_for_a_request(self) -> None:
        self.loop.call_later(HEAD_SECONDS, self._hang_up, self.cycle)

    def _hang_up(self, answered: RequestResponseCycle | None) -> None:
        if self.cycle is answered and not self.transport.is_closing():
            self.transport.close()


def _impatient(receive: Receive) -> Receive:
    """`receive` for a body that does not stop on its way."""
    complete = False

    async def receive_in_time() -> Message:
        nonlocal complete
        if complete:  # what comes now is the end of the connection
            return await receive()
        try:
            message = await asyncio.wait_for(receive(), BODY_SECONDS)
        except TimeoutError:
            raise HTTPException(408, "The request did not arrive in time.") from None
        complete = not message.get("more_body", False)
        return message

    return receive_in_time


def _address(scope: Scope) -> str:
    """By which requests are counted: of IPv6 the network, of which a client has a whole one."""
    host = scope["client"][0] if scope.get("client") else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if address.version == 4:
        return host
    return str(ipaddress.ip_network((address, 64), strict=False))
