"""The items service after the gate: what changed, and why, stands in README.md."""

import asyncio
import json
import os
import time
from contextlib import asynccontextmanager

import asyncpg
import redis.asyncio as redis
import uvicorn
from breaker import Breaker, CircuitOpen
from drain import Drain, Server
from fastapi import FastAPI, HTTPException
from fastapi.responses import JSONResponse
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.asyncpg import AsyncPGInstrumentor
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.instrumentation.redis import RedisInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio
from pydantic import BaseModel

DEADLINE_S = 1.0
PING_S = 0.5
CACHE_S = 0.1
LEFT_ALONE_S = 5.0


class NewItem(BaseModel):
    name: str


resource = Resource.create({"service.version": os.environ.get("SERVICE_VERSION", "unknown")})
provider = TracerProvider(sampler=ParentBasedTraceIdRatio(0.01), resource=resource)
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(timeout=2), schedule_delay_millis=1000))
trace.set_tracer_provider(provider)
AsyncPGInstrumentor().instrument()
RedisInstrumentor().instrument()


def counts(error: Exception) -> bool:
    """Whether the database is to blame: not for what it says of our data."""
    blameless = (asyncpg.IntegrityConstraintViolationError, asyncpg.DataError)
    return not isinstance(error, blameless)


breaker = Breaker(failures=5, deadline=DEADLINE_S, open_for=7.0, counts=counts)


async def row(statement: str, argument):
    async def ask():
        connection = await app.state.database.acquire()
        try:
            return await connection.fetchrow(statement, argument)
        except asyncio.CancelledError:
            # Given up: nobody knows what is under way on it.
            connection.terminate()
            raise
        except (asyncpg.ReadOnlySQLTransactionError, OSError):
            # A server that was failed over: its other connections are as old.
            await app.state.database.expire_connections()
            raise
        finally:
            await app.state.database.release(connection)

    return await breaker.call(ask)


left_alone_until = 0.0


async def cached(command, *arguments, **options):
    """What the cache says, or nothing: it may be late, gone or read-only, and nobody is worse off. Nobody waits for it either
    while it has just let somebody down."""
    global left_alone_until
    if time.monotonic() < left_alone_until:
        return None
    try:
        return await asyncio.wait_for(command(*arguments, **options), CACHE_S)
    except (redis.RedisError, OSError, TimeoutError):
        left_alone_until = time.monotonic() + LEFT_ALONE_S
        return None


async def ping():
    """Asks the database on a connection of its own, all the time: readiness reads what it found."""
    connection = None
    while True:
        try:
            if connection is None:
                connection = await asyncpg.connect(os.environ["DATABASE_URL"], timeout=PING_S)
            await asyncio.wait_for(connection.execute("SELECT 1"), PING_S)
            app.state.reachable = True
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
            app.state.reachable = False
            if connection is not None:
                connection.terminate()
            connection = None
        await asyncio.sleep(1)


@asynccontextmanager
async def lifespan(app: FastAPI):
    app.state.reachable = False
    app.state.database = await asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=2, max_size=10)
    app.state.cache = redis.from_url(os.environ["REDIS_URL"], socket_timeout=CACHE_S, socket_connect_timeout=CACHE_S)
    pinging = asyncio.create_task(ping())
    yield
    pinging.cancel()
    await asyncio.to_thread(provider.shutdown)


app = FastAPI(lifespan=lifespan)
FastAPIInstrumentor.instrument_app(app, excluded_urls="health,ready", exclude_spans=["receive", "send"])
drain = Drain(app)


@app.get("/health")
async def health():
    return {"status": "ok"}


@app.get("/ready")
async def ready():
    if drain.draining or not app.state.reachable:
        return JSONResponse({"status": "unavailable"}, 503)
    return {"status": "ok"}


@app.exception_handler(CircuitOpen)
async def circuit_open(request, error: CircuitOpen):
    return JSONResponse({"error": str(error)}, 503, {"retry-after": str(error.retry_after)})


@app.exception_handler(TimeoutError)
@app.exception_handler(OSError)
@app.exception_handler(asyncpg.PostgresError)
@app.exception_handler(asyncpg.InterfaceError)
async def unavailable(request, error: Exception):
    return JSONResponse({"error": "the database does not answer"}, 503, {"retry-after": "1"})


@app.get("/items/{number}")
async def read(number: int):
    key = f"item:{number}"
    if known := await cached(app.state.cache.get, key):
        return json.loads(known)
    found = await row("SELECT id, name FROM items WHERE id = $1", number)
    if found is None:
        raise HTTPException(404)
    item = dict(found)
    await cached(app.state.cache.set, key, json.dumps(item), ex=5)
    return item


@app.post("/items", status_code=201)
async def create(item: NewItem):
    return dict(await row("INSERT INTO items (name) VALUES ($1) RETURNING id", item.name))


if __name__ == "__main__":
    config = uvicorn.Config(drain, host="127.0.0.1", port=int(os.environ["PORT"]), access_log=False, lifespan="on")
    asyncio.run(Server(config, drain).serve())
