"""The items service as it was first shipped: items from Postgres, cached in Redis for a minute."""

import json
import os
from contextlib import asynccontextmanager

import asyncpg
import redis.asyncio as redis
import uvicorn
from fastapi import FastAPI, HTTPException
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.asyncpg import AsyncPGInstrumentor
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.instrumentation.redis import RedisInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio
from pydantic import BaseModel


class NewItem(BaseModel):
    name: str


provider = TracerProvider(sampler=ParentBasedTraceIdRatio(0.01), shutdown_on_exit=False)
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)
AsyncPGInstrumentor().instrument()
RedisInstrumentor().instrument()


@asynccontextmanager
async def lifespan(app: FastAPI):
    app.state.database = await asyncpg.create_pool(os.environ["DATABASE_URL"])
    app.state.cache = redis.from_url(os.environ["REDIS_URL"])
    yield


app = FastAPI(lifespan=lifespan)
FastAPIInstrumentor.instrument_app(app, excluded_urls="health,ready")


@app.get("/health")
@app.get("/ready")
async def health():
    await app.state.database.fetchval("SELECT 1")
    return {"status": "ok"}


@app.get("/items/{number}")
async def read(number: int):
    key = f"item:{number}"
    if cached := await app.state.cache.get(key):
        return json.loads(cached)
    row = await app.state.database.fetchrow("SELECT id, name FROM items WHERE id = $1", number)
    if row is None:
        raise HTTPException(404)
    item = dict(row)
    await app.state.cache.set(key, json.dumps(item), ex=60)
    return item


@app.post("/items", status_code=201)
async def create(item: NewItem):
    row = await app.state.database.fetchrow("INSERT INTO items (name) VALUES ($1) RETURNING id", item.name)
    return dict(row)


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ["PORT"]), access_log=False)
