"""The service of the Python cases: uvicorn under tini, which raises SIGTERM again after its own clean end, so that the
container exits with 143. The preStop hook GET /drain announces the end on every connection before uvicorn closes them."""

import asyncio
import os
import re

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

provider = TracerProvider(sampler=ParentBased(ALWAYS_OFF))
if "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" in os.environ:
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(), schedule_delay_millis=1000))
tracer = provider.get_tracer("golive-foreign")
propagator = TraceContextTextMapPropagator()
DRAIN_S = float(os.environ.get("DRAIN_S", "16"))
draining = False


async def drain() -> int:
    global draining
    draining = True
    await asyncio.sleep(DRAIN_S)
    return 200


async def answer(scope: dict) -> int:
    path, method = scope["path"], scope["method"]
    if path == "/health":
        return 200
    if path == "/ready":
        return 503 if draining else 200
    if path == "/drain":
        return await drain()
    headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
    with tracer.start_as_current_span(
        f"{method} {path.rsplit('/', 1)[0]}", propagator.extract(headers), trace.SpanKind.SERVER
    ) as span:
        known = path == "/about" or re.fullmatch(r"/items(/\d+)?", path)
        status = 404 if not known else 201 if method == "POST" else 200
        span.set_attribute("http.response.status_code", status)
        return status


async def lifespan(receive, send) -> None:
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await asyncio.to_thread(provider.force_flush, 2000)
    await send({"type": "lifespan.shutdown.complete"})


async def app(scope, receive, send) -> None:
    if scope["type"] == "lifespan":
        return await lifespan(receive, send)
    while (await receive()).get("more_body"):
        pass
    status = await answer(scope)
    headers = [(b"content-type", b"application/json"), (b"content-length", b"3")]
    if draining:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"{}\n"})
