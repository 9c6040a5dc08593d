// What a case may set; every other behaviour is that of a well-made service.
'use strict';

const number = (name, otherwise) => Number(process.env[name] ?? otherwise);
const text = (name, otherwise = '') => process.env[name] ?? otherwise;

module.exports = {
  port: number('PORT', 8080),
  /** How /health and /ready answer: plain, 204, redirect, host (400 without PROBE_HOST), slow (after 1.3 s), none (404). */
  probe: text('PROBE', 'plain'),
  probeHost: text('PROBE_HOST', 'probe.internal'),
  /** Seconds until the listener opens (a slow start), and from there until ready. */
  startAfter: number('START_AFTER_S', 0),
  readyAfter: number('READY_AFTER_S', 0),
  /** Seconds after which an idle connection is closed. */
  idle: number('IDLE_S', 75),
  /** Seconds from SIGTERM until the listener closes, and until the last connection is. */
  lameduck: number('LAMEDUCK_S', 5),
  drain: number('DRAIN_S', 16),
  exitCode: number('EXIT_CODE', 0),
  /** Every request but the probes is answered 401. */
  locked: text('LOCKED') !== '',
  /** A folder with tls.key and tls.crt: HTTPS and nothing else. */
  tls: text('TLS_DIR'),
  /** A file that exists while ready, for exec probes. */
  readyFile: text('READY_FILE'),
  /** A port for grpc.health.v1, 0 for none; without http the port of the service speaks gRPC alone. */
  grpcPort: number('GRPC_PORT', 0),
  http: text('HTTP', 'yes') === 'yes',
  /** Postgres, and how many connections the pool has. */
  databaseUrl: text('DATABASE_URL'),
  pool: number('POOL', 4),
  /** Milliseconds that a call may take, and over which failures are counted; seconds that the circuit stays open. */
  deadlineMs: number('DEADLINE_MS', 3000),
  windowMs: number('WINDOW_MS', 10_000),
  openS: number('OPEN_S', 30),
  /** What opens the circuit: half of the calls of the window (rate, opossum), five failures in a row (row), half of the last
   * twenty calls (count); none never opens. */
  breaker: text('BREAKER', 'rate'),
  /** A trial that fails keeps its permit for ever. */
  stuckTrial: text('STUCK_TRIAL') !== '',
  /** What a call is whose client has hung up: it goes on (nothing), it is dropped and counts as failed (counted), or as nothing
   * (ignored). */
  hungUp: text('HUNG_UP', 'nothing'),
  /** What is answered in place of the database: nothing but an honest 503, or 404, 500. */
  fallback: text('FALLBACK', '503'),
  /** Work that is looked for once a second, past the circuit. */
  poller: text('POLLER') !== '',
  /** So many further connections that are made anew every few seconds, each with a SET. */
  kept: number('KEPT', 0),
  /** A connection that leads to a server that has become read-only goes back to the pool. */
  keepsReadOnly: text('KEEPS_READ_ONLY') !== '',
  /** Each query has a span of kind CLIENT for the look-up of a name before it. */
  lookUps: text('LOOK_UPS') !== '',
  /** Processes that share the port, with a breaker each. */
  workers: number('WORKERS', 1),
  /** Redis, which counts views. */
  cacheUrl: text('REDIS_URL'),
  /** Another service, over HTTP. Where only exceptions count, a 503 of it is none. */
  upstream: text('UPSTREAM_URL'),
  exceptionsOnly: text('EXCEPTIONS_ONLY') !== '',
  /** HOST:PORT of the store that speaks a protocol of its own (store.js). */
  store: text('STORE'),
  /** How spans leave: proto, json or grpc; where to, by the SDK's own OTEL_EXPORTER_OTLP_TRACES_ENDPOINT. */
  otlp: text('OTLP', 'proto'),
};
