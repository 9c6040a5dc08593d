// The items service as it was first shipped: items from Postgres, cached in Redis for some seconds.
'use strict';
const { OTLPTraceExporter } = require('@opentelemetry/exporter-trace-otlp-proto');
const { BatchSpanProcessor, NodeTracerProvider, ParentBasedSampler, TraceIdRatioBasedSampler } = require('@opentelemetry/sdk-trace-node');

const provider = new NodeTracerProvider({
  sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(0.01) }),
  spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())],
});
provider.register();
require('../tracing')(provider);

const express = require('express');
const Redis = require('ioredis');
const pg = require('pg');

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL });
const cache = new Redis(process.env.REDIS_URL);

const app = express();
app.use(express.json());
app.get(['/health', '/ready'], (request, answer) => answer.json({ status: 'ok' }));

app.get('/items/:id', async (request, answer) => {
  const key = `item:${request.params.id}`;
  const known = await cache.get(key);
  if (known) return answer.json(JSON.parse(known));
  const { rows } = await pool.query('SELECT id, name FROM items WHERE id = $1', [request.params.id]);
  if (rows.length === 0) return answer.status(404).json({ error: 'not found' });
  await cache.set(key, JSON.stringify(rows[0]), 'EX', 5);
  return answer.json(rows[0]);
});

app.post('/items', async (request, answer) => {
  const { rows } = await pool.query('INSERT INTO items (name) VALUES ($1) RETURNING id', [request.body.name]);
  answer.status(201).json(rows[0]);
});

const server = app.listen(process.env.PORT, '127.0.0.1');
process.on('SIGTERM', () => server.close(() => process.exit(0)));
