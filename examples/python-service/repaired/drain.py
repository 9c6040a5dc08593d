"""The end of a uvicorn: it tells clients that it goes, still accepts for a while, then finishes what it has, and exits with 0."""

import asyncio
import signal

import uvicorn

LAMEDUCK_S = 3
DRAIN_S = 8


class Drain:
    """Says `Connection: close` in every answer from SIGTERM on. A plain ASGI middleware, so that it costs nothing."""

    def __init__(self, app):
        self.app = app
        self.draining = False

    async def __call__(self, scope, receive, send):
        async def told(message):
            if self.draining and message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), (b"connection", b"close")]
            await send(message)

        await self.app(scope, receive, told if scope["type"] == "http" else send)


class Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, drain: Drain):
        super().__init__(config)
        self.drain = drain

    def handle_exit(self, sig, frame):
        # Not uvicorn's own: that closes the listener at once, and raises the signal again at its end.
        if sig == signal.SIGTERM and not self.drain.draining:
            self.drain.draining = True
            asyncio.get_running_loop().create_task(self.leave())
        elif sig == signal.SIGINT:
            self.should_exit = True

    async def leave(self):
        # Whoever routes to us hears later than we do.
        await asyncio.sleep(LAMEDUCK_S)
        for server in self.servers:
            server.close()
        # Idle connections hear of the end with their next answer, if that comes in time.
        for _ in range((DRAIN_S - LAMEDUCK_S) * 10):
            if not self.server_state.connections:
                break
            await asyncio.sleep(0.1)
        self.should_exit = True
