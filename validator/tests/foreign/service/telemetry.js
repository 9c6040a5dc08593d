// Spans by the OpenTelemetry SDK: the caller decides what is sampled, the batch leaves every second.
'use strict';
const { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } = require('@opentelemetry/api');
const { detectResources, envDetector } = require('@opentelemetry/resources');
const { AlwaysOffSampler, BasicTracerProvider, BatchSpanProcessor, ParentBasedSampler } = require('@opentelemetry/sdk-trace-base');
const knobs = require('./knobs');

const exporters = {
  proto: () => new (require('@opentelemetry/exporter-trace-otlp-proto').OTLPTraceExporter)(),
  json: () => new (require('@opentelemetry/exporter-trace-otlp-http').OTLPTraceExporter)(),
  grpc: () => new (require('@opentelemetry/exporter-trace-otlp-grpc').OTLPTraceExporter)(),
};

const provider = process.env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT || process.env.OTEL_EXPORTER_OTLP_ENDPOINT
  ? new BasicTracerProvider({
      resource: detectResources({ detectors: [envDetector] }),
      sampler: new ParentBasedSampler({ root: new AlwaysOffSampler() }),
      spanProcessors: [new BatchSpanProcessor(exporters[knobs.otlp](), { scheduledDelayMillis: 1000 })],
    })
  : undefined;
const tracer = provider ? provider.getTracer('golive-foreign') : trace.getTracer('none');

// W3C Trace Context; anything malformed starts a trace of its own, which is not sampled.
const TRACEPARENT = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})$/;

/** The context that the caller's headers name. */
function extract(headers) {
  const found = TRACEPARENT.exec(headers.traceparent ?? '');
  if (!found) return ROOT_CONTEXT;
  const [, traceId, spanId, flags] = found;
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags: parseInt(flags, 16) & 1, isRemote: true });
}

/** The traceparent that a call made within this context carries. */
function inject(context) {
  const span = trace.getSpanContext(context);
  return span ? `00-${span.traceId}-${span.spanId}-0${span.traceFlags & 1}` : undefined;
}

/** A span under `context`, and the context in which it is the parent. */
function start(context, name, kind, attributes) {
  const span = tracer.startSpan(name, { kind, attributes }, context);
  return { span, within: trace.setSpan(context, span) };
}

/** Runs `call`, which gets the context to send on, within a client span, which ends with it. */
async function client(context, name, attributes, call) {
  const { span, within } = start(context, name, SpanKind.CLIENT, attributes);
  try {
    return await call(within);
  } catch (error) {
    span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
    throw error;
  } finally {
    span.end();
  }
}

/** Sends what is left, for at most two seconds. */
function flush() {
  if (!provider) return Promise.resolve();
  const late = new Promise((done) => setTimeout(done, 2000));
  return Promise.race([provider.forceFlush().catch(() => {}), late]);
}

module.exports = { SpanKind, client, extract, flush, inject, start };
