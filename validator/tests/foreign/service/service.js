// The service of most cases: a few pages, probes, an orderly end. knobs.js says what a case may change.
'use strict';
const cluster = require('node:cluster');
const fs = require('node:fs');
const http = require('node:http');
const https = require('node:https');
const { setTimeout: sleep } = require('node:timers/promises');
const drain = require('./drain');
const grpc = require('./grpc');
const knobs = require('./knobs');
const { SpanKind, extract, start } = require('./telemetry');

const database = knobs.databaseUrl ? require('./database') : undefined;
const cache = knobs.cacheUrl ? require('./cache') : undefined;
const upstream = knobs.upstream ? require('./upstream') : undefined;
const store = knobs.store ? require('./store-client') : undefined;
let started = false;

const ready = () => started && !drain.state.draining && (database?.ready() ?? true);

function send(answer, status, body, headers = {}) {
  drain.announce(answer);
  answer.writeHead(status, { 'content-type': 'application/json', ...headers });
  answer.end(status === 204 ? undefined : `${JSON.stringify(body)}\n`);
}

async function probe(request, answer, good) {
  if (knobs.probe === 'none') return send(answer, 404, { error: 'not found' });
  if (knobs.probe === 'host' && request.headers.host !== knobs.probeHost) return send(answer, 400, { error: 'unknown host' });
  if (knobs.probe === 'redirect' && !request.url.endsWith('/')) return send(answer, 302, {}, { location: `${request.url}/` });
  if (knobs.probe === 'slow') await sleep(1300);
  if (!good()) return send(answer, 503, { status: 'unavailable' });
  return send(answer, knobs.probe === '204' ? 204 : 200, { status: 'ok' });
}

async function page(context, request, id) {
  if (cache && request.method === 'GET') await cache.viewed(context, id);
  if (store && request.method === 'GET') return [200, { id, value: await store.get(context, id) }];
  if (upstream && request.method === 'GET') return [200, { id, orders: await upstream.orders(context, id) }];
  if (database && request.method === 'GET') return [200, { id, rows: await counted(context, request, id) }];
  if (database) return [201, (await database.rows(context, 'INSERT INTO items (name) VALUES ($1) RETURNING id', ['x'], request))[0]];
  return [request.method === 'POST' ? 201 : 200, { id }];
}

const counted = (context, request, id) => database.rows(context, 'SELECT count(*) FROM items WHERE id = $1', [id], request);

/** Pages that take their time by design. */
const SLOW = { '/report': 150, '/export': 6000 };

async function slow(context, request, path) {
  await sleep(SLOW[path]);
  return [200, { rows: database ? await counted(context, request, 1) : [] }];
}

/** /about is answered from memory, /items from whatever store there is. */
function route(context, request) {
  const [path] = request.url.split('?', 1);
  if (knobs.locked) return [401, { error: 'say who you are' }, { 'www-authenticate': 'Bearer' }];
  if (path === '/about' && request.method === 'GET') return [200, { name: 'foreign' }];
  if (path in SLOW) return slow(context, request, path);
  const found = /^\/items(?:\/(\d{1,9}))?$/.exec(path);
  return found ? page(context, request, Number(found[1] ?? 0)) : [404, { error: 'not found' }];
}

async function serve(request, answer) {
  const { span, within } = start(extract(request.headers), `${request.method} ${request.url.replace(/\d+/g, '{id}')}`, SpanKind.SERVER, {
    'http.request.method': request.method,
  });
  let status = 500;
  try {
    for await (const part of request) void part;
    let body, headers;
    [status, body, headers] = await route(within, request);
    send(answer, status, body, headers);
  } catch (error) {
    status = Number(knobs.fallback);
    send(answer, status, { error: error.message }, status === 503 ? { 'retry-after': String(error.retryAfter ?? 1) } : {});
  } finally {
    span.setAttribute('http.response.status_code', status);
    span.end();
  }
}

function handle(request, answer) {
  const path = request.url.replace(/\/$/, '');
  if (path === '/health') return probe(request, answer, () => true);
  if (path === '/ready') return probe(request, answer, ready);
  return serve(request, answer);
}

function tell() {
  if (ready()) fs.writeFileSync(knobs.readyFile, '');
  else fs.rmSync(knobs.readyFile, { force: true });
}

function listener() {
  const options = { keepAliveTimeout: knobs.idle * 1000 };
  if (!knobs.tls) return http.createServer(options, handle);
  const read = (name) => fs.readFileSync(`${knobs.tls}/${name}`);
  return https.createServer({ ...options, key: read('tls.key'), cert: read('tls.crt') }, handle);
}

async function main() {
  const server = listener();
  const servers = knobs.http ? [server] : [];
  const health = knobs.grpcPort ? grpc.serve(knobs.grpcPort, ready) : undefined;
  drain.onTerm(servers, async () => {
    await database?.close();
    cache?.close();
    health?.forceShutdown();
  });
  await sleep(knobs.startAfter * 1000);
  await database?.open();
  for (const each of servers) each.listen(knobs.port);
  setTimeout(() => (started = true), knobs.readyAfter * 1000);
  if (knobs.readyFile) setInterval(tell, 100);
}

/** Several of them behind one port: the first process hands the signal on, and ends when they have. */
function share() {
  for (let each = 0; each < knobs.workers; each += 1) cluster.fork();
  process.on('SIGTERM', () => Object.values(cluster.workers).forEach((worker) => worker.process.kill('SIGTERM')));
  cluster.on('exit', () => {
    if (Object.keys(cluster.workers).length === 0) process.exit(0);
  });
}

if (knobs.workers > 1 && cluster.isPrimary) share();
else main();
