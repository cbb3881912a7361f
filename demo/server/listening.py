"""The program that listens on a port and serves the page."""

import socket
from contextlib import suppress

import uvicorn

from demo.server.guard import Guard
from demo.server.internals import Impatient, end_streams

# Time that unfinished answers have when the server ends, in seconds.
LAST_SECONDS = 5
# Number of connections at a time; further ones get an answer that the server is busy.
CONNECTIONS = 2_000


class Server(uvicorn.Server):
    """Serves an application, and does not wait for browsers that have the page open when it ends.

    Args:
        guarded: an application with Gradio's page in it, and its guard.
    """

    def __init__(self, guarded: Guard) -> None:
        self.served = guarded.app
        settings = {
            "http": Impatient,
            "limit_concurrency": CONNECTIONS,
            "log_config": None,
            "access_log": False,
            "timeout_graceful_shutdown": LAST_SECONDS,
        }
        super().__init__(uvicorn.Config(guarded, **settings))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        end_streams(self.served)
        await super().shutdown(sockets)


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there.

    Raises:
        OSError, OverflowError: the address or port cannot be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.create_server((host, port), family=family)
    # asyncio sends at once only on sockets that name TCP as their protocol; on others every
    # answer waits 40 milliseconds for the client's system
    return socket.socket(made.family, made.type, socket.IPPROTO_TCP, fileno=made.detach())


def serve(guarded: Guard, listening: socket.socket) -> None:
    """Serve the application until interrupted."""
    host, port, *_ = listening.getsockname()
    shown = f"[{host}]" if ":" in host else host
    print(f"Serving on http://{shown}:{port}/  (Ctrl-C ends it)", flush=True)
    with suppress(KeyboardInterrupt):
        Server(guarded).run(sockets=[listening])
