// The items service after the gate: what changed, and why, stands in README.md.
'use strict';
const { OTLPTraceExporter } = require('@opentelemetry/exporter-trace-otlp-proto');
const { resourceFromAttributes } = require('@opentelemetry/resources');
const { BatchSpanProcessor, NodeTracerProvider, ParentBasedSampler, TraceIdRatioBasedSampler } = require('@opentelemetry/sdk-trace-node');

const provider = new NodeTracerProvider({
  resource: resourceFromAttributes({ 'service.name': 'items', 'service.version': process.env.SERVICE_VERSION ?? 'unknown' }),
  sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(0.01) }),
  spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter({ timeoutMillis: 2000 }), { scheduledDelayMillis: 1000 })],
});
provider.register();
require('../tracing')(provider);

const express = require('express');
const cache = require('./cache');
const database = require('./database');
const { announce, isDraining, onTerm } = require('./drain');

const app = express();
app.use(announce, express.json());
app.get('/health', (request, answer) => answer.json({ status: 'ok' }));
app.get('/ready', (request, answer) => {
  const ready = database.isReachable() && !isDraining();
  answer.status(ready ? 200 : 503).json({ status: ready ? 'ok' : 'unavailable' });
});

app.get('/items/:id', async (request, answer) => {
  const key = `item:${request.params.id}`;
  const known = await cache.get(key);
  if (known) return answer.json(JSON.parse(known));
  const rows = await database.rows('SELECT id, name FROM items WHERE id = $1', [request.params.id]);
  if (rows.length === 0) return answer.status(404).json({ error: 'not found' });
  cache.keep(key, JSON.stringify(rows[0]), 5);
  return answer.json(rows[0]);
});

app.post('/items', async (request, answer) => {
  const rows = await database.rows('INSERT INTO items (name) VALUES ($1) RETURNING id', [request.body.name]);
  answer.status(201).json(rows[0]);
});

// Express knows an error handler by its four arguments.
app.use((error, request, answer, next) => {
  if (error.retryAfter) return answer.set('Retry-After', String(error.retryAfter)).status(503).json({ error: 'the database does not answer' });
  return next(error);
});

const server = app.listen(process.env.PORT, '127.0.0.1');
server.keepAliveTimeout = 75_000;
onTerm(server, () => provider.shutdown());
database.watch();
