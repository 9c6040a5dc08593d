"""A circuit breaker for calls of one process: it opens after some failures in a row, and lets one call through after a while."""

import asyncio
import time


class CircuitOpen(Exception):
    """Nobody was asked; ask again in some seconds."""

    def __init__(self, seconds: float):
        super().__init__("the circuit is open")
        self.retry_after = max(1, round(seconds))


class Breaker:
    def __init__(self, failures: int, deadline: float, open_for: float, counts):
        self.limit, self.deadline, self.open_for, self.counts = failures, deadline, open_for, counts
        self.failed = 0
        self.opened = None
        self.trial = None

    async def call(self, function):
        """Calls within the deadline, waiting for a connection included. One trial at a time while it is not closed."""
        token = self._enter()
        # Not wait_for: that waits until a driver has cleaned up what it gave up, which may hang as well.
        task = asyncio.ensure_future(function())
        try:
            done, _ = await asyncio.wait({task}, timeout=self.deadline)
            if not done:
                raise TimeoutError
            result = task.result()
        except asyncio.CancelledError:
            # The client has gone; that says nothing of the dependency.
            self._leave(token, None)
            raise
        except Exception as error:
            self._leave(token, not self.counts(error))
            raise
        finally:
            if not task.done():
                task.cancel()
        self._leave(token, True)
        return result

    def _enter(self):
        if self.opened is None:
            return None
        left = self.opened + self.open_for - time.monotonic()
        if left > 0 or self.trial is not None:
            raise CircuitOpen(left)
        self.trial = object()
        return self.trial

    def _leave(self, token, good):
        """A call that began before the circuit opened changes nothing of it any more."""
        if token is not self.trial:
            return
        self.trial = None
        if good:
            self.failed, self.opened = 0, None
        elif good is False:
            self.failed += 1
            if token is not None or self.failed >= self.limit:
                self.opened = time.monotonic()
