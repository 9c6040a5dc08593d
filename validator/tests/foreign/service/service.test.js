// Each knob does what its case says. Run in the image: node --test; with DATABASE_URL the database's part as well.
'use strict';
const assert = require('node:assert/strict');
const { execFileSync, spawn } = require('node:child_process');
const fs = require('node:fs');
const http = require('node:http');
const https = require('node:https');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { setTimeout: sleep } = require('node:timers/promises');
const { after, test } = require('node:test');
const zlib = require('node:zlib');

const children = [];
after(() => children.forEach((child) => child.kill('SIGKILL')));

const free = () =>
  new Promise((done) => {
    const server = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });

/** GET or POST without following redirects; every field of the answer that a test looks at. */
function ask(port, url, { method = 'GET', headers = {}, agent } = {}) {
  return new Promise((done, fail) => {
    const request = http.request({ host: '127.0.0.1', port, path: url, method, headers, agent: agent ?? false }, (answer) => {
      const parts = [];
      answer.on('data', (part) => parts.push(part));
      answer.on('end', () => done({ status: answer.statusCode, headers: answer.headers, body: Buffer.concat(parts).toString() }));
    });
    request.on('error', fail).end();
  });
}

async function until(what, seconds = 60) {
  for (const end = Date.now() + seconds * 1000; Date.now() < end; await sleep(50)) {
    if (await what().catch(() => false)) return;
  }
  assert.fail('not within the deadline');
}

/** Starts a program of this folder and waits for its port. */
async function start(program, env = {}, command = [process.execPath, path.join(__dirname, program)]) {
  const port = Number(env.PORT ?? (await free()));
  const child = spawn(command[0], command.slice(1), { env: { PATH: process.env.PATH, PORT: port, ...env }, stdio: ['ignore', 'ignore', 'inherit'] });
  children.push(child);
  const ended = new Promise((done) => child.once('exit', (code, signal) => done(code ?? signal)));
  await until(() => new Promise((done) => net.connect(port, '127.0.0.1').on('connect', function () { done(this.end()); }).on('error', () => done(false))));
  return { child, ended, port };
}

// The listener closes after a time in which a busy machine still asks it; the last connection ends the rest.
const quick = { LAMEDUCK_S: '3', DRAIN_S: '40' };

test('probes answer as the case says', async () => {
  const cases = [
    [{}, '/health', {}, 200], [{}, '/ready', {}, 200], [{ PROBE: '204' }, '/health', {}, 204], [{ PROBE: 'redirect' }, '/ready', {}, 302],
    [{ PROBE: 'redirect' }, '/ready/', {}, 200], [{ PROBE: 'host' }, '/health', {}, 400],
    [{ PROBE: 'host' }, '/health', { host: 'probe.internal' }, 200], [{ PROBE: 'none' }, '/ready', {}, 404],
    [{ LOCKED: 'yes' }, '/items/3', {}, 401], [{ LOCKED: 'yes' }, '/health', {}, 200], [{}, '/items/3', {}, 200], [{}, '/about', {}, 200],
  ];
  for (const [env, url, headers, status] of cases) {
    const { child, port } = await start('service.js', env);
    await until(async () => (await ask(port, url, { headers })).status === status);
    child.kill('SIGKILL');
  }
});

test('a slow probe takes more than a second', async () => {
  const { port } = await start('service.js', { PROBE: 'slow' });
  const from = Date.now();
  assert.equal((await ask(port, '/health')).status, 200);
  assert.ok(Date.now() - from >= 1250);
});

test('readiness comes late, and so does the listener', async () => {
  const begun = Date.now();
  const { port } = await start('service.js', { START_AFTER_S: '1', READY_AFTER_S: '1' });
  assert.ok(Date.now() - begun >= 950);
  assert.equal((await ask(port, '/ready')).status, 503);
  await until(async () => (await ask(port, '/ready')).status === 200);
});

test('a drain announces itself, goes on serving kept connections, and ends with the declared code', async () => {
  const { child, ended, port } = await start('service.js', { ...quick, EXIT_CODE: '143' });
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  assert.notEqual((await ask(port, '/items/1', { agent })).headers.connection, 'close');
  child.kill('SIGTERM');
  await until(async () => (await ask(port, '/ready')).status === 503);
  await until(() => ask(port, '/items/2').then(() => false, (error) => error.code === 'ECONNREFUSED'));
  const last = await ask(port, '/items/3', { agent });
  assert.deepEqual([last.status, last.headers.connection], [200, 'close']);
  assert.equal(await ended, 143);
});

test('a second without an answer under way ends an idle connection', async () => {
  const { port } = await start('service.js', { IDLE_S: '1' });
  const socket = net.connect(port, '127.0.0.1');
  socket.write('GET /about HTTP/1.1\r\nhost: x\r\n\r\n');
  let text = '';
  socket.on('data', (part) => (text += part));
  await new Promise((done) => socket.on('end', done));
  assert.match(text, /^HTTP\/1\.1 200/);
});

test('the file for exec probes is there while ready', async () => {
  const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'foreign-')), 'ready');
  const { child, ended } = await start('service.js', { ...quick, READY_FILE: file });
  await until(async () => fs.existsSync(file));
  child.kill('SIGTERM');
  await until(async () => !fs.existsSync(file));
  assert.equal(await ended, 0);
});

test('health is told by gRPC', async () => {
  const { Client, credentials } = require('@grpc/grpc-js');
  const { method } = require('./grpc');
  const grpcPort = await free();
  const { child } = await start('service.js', { ...quick, GRPC_PORT: String(grpcPort) });
  const client = new Client(`127.0.0.1:${grpcPort}`, credentials.createInsecure());
  const check = (service) =>
    new Promise((done, fail) => {
      const request = Buffer.concat([Buffer.from([0x0a, service.length]), Buffer.from(service)]);
      client.makeUnaryRequest(method.path, method.requestSerialize, method.responseDeserialize, request, (error, answer) => (error ? fail(error) : done(answer[1])));
    });
  await until(async () => (await check('readiness')) === 1);
  child.kill('SIGTERM');
  await until(async () => (await check('readiness')) === 2);
  assert.equal(await check('liveness'), 1);
  client.close();
});

test('where nothing but gRPC is spoken, HTTP/1.1 gets no answer', async () => {
  const port = String(await free());
  await start('service.js', { ...quick, HTTP: 'no', PORT: port, GRPC_PORT: port });
  await assert.rejects(ask(port, '/items/1'));
});

test('where nothing but TLS is spoken, HTTP gets no answer', { skip: !fs.existsSync('/usr/bin/openssl') }, async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'foreign-'));
  const options = '-x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=foreign -keyout tls.key -out tls.crt'.split(' ');
  execFileSync('openssl', ['req', ...options], { cwd: folder, stdio: 'ignore' });
  const { port } = await start('service.js', { TLS_DIR: folder });
  await assert.rejects(ask(port, '/items/1'));
  const status = await new Promise((done, fail) => {
    https.get({ host: '127.0.0.1', port, path: '/ready', rejectUnauthorized: false }, (answer) => done(answer.resume().statusCode)).on('error', fail);
  });
  assert.equal(status, 200);
});

// What the exporters send: [path, content type, body].
async function sink() {
  const port = await free();
  const exports = [];
  const server = http.createServer((request, answer) => {
    const parts = [];
    request.on('data', (part) => parts.push(part)).on('end', () => {
      const body = Buffer.concat(parts);
      exports.push([request.url, request.headers['content-type'], request.headers['content-encoding'] === 'gzip' ? zlib.gunzipSync(body) : body]);
      answer.writeHead(200, { 'content-type': request.headers['content-type'] }).end();
    });
  });
  await new Promise((done) => server.listen(port, '127.0.0.1', done));
  after(() => server.close());
  return { exports, url: `http://127.0.0.1:${port}/v1/traces` };
}

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SAMPLED = { traceparent: `00-${TRACE}-00f067aa0ba902b7-01` };
const spans = (exports) => exports.flatMap(([, , body]) => JSON.parse(body).resourceSpans.flatMap((r) => r.scopeSpans.flatMap((s) => s.spans)));

test('a sampled request leaves one server span, as JSON or protobuf, and others none', async () => {
  for (const [otlp, type] of [['json', 'application/json'], ['proto', 'application/x-protobuf']]) {
    const { exports, url } = await sink();
    const { child, ended, port } = await start('service.js', { ...quick, OTLP: otlp, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: url });
    await ask(port, '/items/1');
    await ask(port, '/items/2', { headers: SAMPLED });
    child.kill('SIGTERM');
    assert.equal(await ended, 0);
    assert.equal(exports.length, 1);
    assert.deepEqual(exports[0].slice(0, 2), ['/v1/traces', type]);
    if (otlp !== 'json') continue;
    const [span, ...others] = spans(exports);
    assert.deepEqual([span.traceId, span.parentSpanId, span.kind, others.length], [TRACE, '00f067aa0ba902b7', 2, 0]);
  }
});

test('spans leave by gRPC as well', async () => {
  const { Server, ServerCredentials } = require('@grpc/grpc-js');
  const { method } = require('./grpc');
  const exported = [];
  const server = new Server();
  const path = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';
  const take = (call, answer) => {
    exported.push(call.request);
    answer(null, Buffer.alloc(0));
  };
  server.addService({ Export: { ...method, path } }, { Export: take });
  const sinkPort = await new Promise((done) => server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (_, port) => done(port)));
  after(() => server.forceShutdown());
  const { child, ended, port } = await start('service.js', { ...quick, OTLP: 'grpc', OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `http://127.0.0.1:${sinkPort}` });
  await ask(port, '/items/2', { headers: SAMPLED });
  child.kill('SIGTERM');
  assert.equal(await ended, 0);
  assert.ok(exported[0].includes(Buffer.from(TRACE, 'hex')));
});

test('the proxy starts a span of its own and rewrites traceparent', async () => {
  const { exports, url } = await sink();
  const env = { ...quick, OTLP: 'json', OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: url };
  const behind = await start('service.js', env);
  const proxy = await start('proxy.js', { ...env, UPSTREAM_PORT: String(behind.port) });
  assert.equal((await ask(proxy.port, '/items/7', { headers: SAMPLED, method: 'POST' })).status, 201);
  proxy.child.kill('SIGTERM');
  behind.child.kill('SIGTERM');
  assert.deepEqual([await proxy.ended, await behind.ended], [0, 0]);
  const found = spans(exports);
  const first = found.find((span) => span.parentSpanId === '00f067aa0ba902b7');
  assert.equal(found.length, 2);
  assert.ok(found.some((span) => span.parentSpanId === first.spanId && span.kind === 2));
});

test('the store of its own protocol is asked, and its loss is told at once', async () => {
  const store = await start('store.js');
  const { port } = await start('service.js', { STORE: `127.0.0.1:${store.port}` });
  assert.match((await ask(port, '/items/5')).body, /value of 5/);
  store.child.kill('SIGKILL');
  await store.ended;
  const lost = await ask(port, '/items/5');
  assert.deepEqual([lost.status, lost.headers['retry-after']], [503, '1']);
});

test('a collector may refuse', async () => {
  const { port } = await start('collector.js', { STATUS: '429' });
  assert.equal((await ask(port, '/v1/traces', { method: 'POST' })).status, 429);
});

test('uvicorn drains by its hook and ends with 143', { skip: !fs.existsSync('/usr/bin/tini') }, async () => {
  const { exports, url } = await sink();
  const port = await free();
  const command = ['/usr/bin/tini', '-s', '--', 'python3', '-m', 'uvicorn', 'service:app', '--app-dir', __dirname, '--host', '127.0.0.1', '--port', String(port), '--no-access-log'];
  const env = { PYTHONPATH: process.env.PYTHONPATH ?? '', DRAIN_S: '1', OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: url };
  const child = spawn(command[0], command.slice(1), { env: { PATH: process.env.PATH, ...env }, stdio: ['ignore', 'ignore', 'ignore'] });
  children.push(child);
  const ended = new Promise((done) => child.once('exit', (code, signal) => done(code ?? signal)));
  await until(async () => (await ask(port, '/ready')).status === 200);
  assert.equal((await ask(port, '/items/2', { method: 'POST', headers: SAMPLED })).status, 201);
  const hook = ask(port, '/drain');
  await until(async () => (await ask(port, '/ready')).status === 503);
  assert.equal((await ask(port, '/items/2')).headers.connection, 'close');
  assert.equal((await hook).status, 200);
  child.kill('SIGTERM');
  assert.equal(await ended, 143);
  assert.ok(exports.length > 0);
});

/** A circuit made by hand around calls that fail while `state.fails`, by knobs of its own. */
function circuit(env) {
  Object.assign(process.env, env);
  for (const file of ['./knobs', './breaker']) delete require.cache[require.resolve(file)];
  const { Breaker } = require('./breaker');
  Object.keys(env).forEach((name) => delete process.env[name]);
  const state = { fails: false, calls: 0, error: new Error('down') };
  const breaker = new Breaker(async () => {
    state.calls += 1;
    if (state.fails) throw state.error;
  });
  const fire = async (times) => {
    for (let each = 0; each < times; each += 1) await breaker.fire().catch(() => {});
    return state.calls;
  };
  return { state, fire };
}

test('five failures in a row open the circuit, four do not, and one trial closes it', async () => {
  const { state, fire } = circuit({ BREAKER: 'row', OPEN_S: '0.05' });
  state.fails = true;
  assert.equal(await fire(4), 4);
  state.fails = false;
  await fire(1);
  state.fails = true;
  assert.equal(await fire(20), 10);
  state.fails = false;
  await sleep(60);
  assert.equal(await fire(3), 13);
});

test('half of the last twenty calls open the circuit, and a trial that is stuck never closes it', async () => {
  for (const [stuck, calls] of [['', 32], ['yes', 31]]) {
    const { state, fire } = circuit({ BREAKER: 'count', OPEN_S: '0.05', STUCK_TRIAL: stuck });
    await fire(10);
    state.fails = true;
    await fire(9);
    state.fails = false;
    await fire(1);
    state.fails = true;
    assert.equal(await fire(20), 30 - 9, 'the last twenty hold ten failures after one more');
    await sleep(60);
    state.calls = 30;
    assert.equal(await fire(5), 31, 'one trial');
    await sleep(60);
    assert.equal(await fire(5), calls);
  }
});

test('a call that was given up counts as failed, or as nothing', async () => {
  for (const [hungUp, calls] of [['counted', 20], ['ignored', 40]]) {
    const { state, fire } = circuit({ BREAKER: 'count', HUNG_UP: hungUp });
    state.fails = true;
    state.error = Object.assign(new Error('gone'), { hungUp: true });
    assert.equal(await fire(40), calls);
  }
});

test('a pool of one answers under load, and the circuit opens when the database is gone', { skip: !process.env.DATABASE_URL }, async () => {
  const target = new URL(process.env.DATABASE_URL);
  const [host, databasePort] = [target.hostname, Number(target.port)];
  const sockets = new Set();
  const relay = net.createServer((from) => {
    const to = net.connect(databasePort, host);
    for (const [one, other] of [[from, to], [to, from]]) {
      sockets.add(one);
      one.on('error', () => {}).on('close', () => other.destroy());
      one.pipe(other);
    }
  });
  after(() => relay.close());
  const relayPort = await free();
  await new Promise((done) => relay.listen(relayPort, '127.0.0.1', done));
  target.hostname = '127.0.0.1';
  target.port = String(relayPort);
  const { port } = await start('service.js', { ...quick, DATABASE_URL: target.href, POOL: '1' });
  await until(async () => (await ask(port, '/ready')).status === 200);
  const answers = await Promise.all(Array.from({ length: 50 }, (_, n) => ask(port, `/items/${n}`, { method: n % 5 ? 'GET' : 'POST' })));
  assert.deepEqual([...new Set(answers.map((answer) => answer.status))].sort(), [200, 201]);
  relay.close();
  sockets.forEach((socket) => socket.destroy());
  await until(async () => (await ask(port, '/ready')).status === 503);
  await until(async () => (await ask(port, '/items/1')).headers['retry-after'] === '30');
  assert.equal((await ask(port, '/about')).status, 200);
});
