// A proxy in the pod, as a mesh or an ingress sidecar puts one there: a server span of its own, and traceparent rewritten.
'use strict';
const http = require('node:http');
const drain = require('./drain');
const knobs = require('./knobs');
const { SpanKind, extract, inject, start } = require('./telemetry');

const upstream = { host: '127.0.0.1', port: Number(process.env.UPSTREAM_PORT ?? 8081), agent: new http.Agent({ keepAlive: false }) };

const server = http.createServer({ keepAliveTimeout: knobs.idle * 1000 }, (request, answer) => {
  const { span, within } = start(extract(request.headers), `proxy ${request.method}`, SpanKind.SERVER, {});
  const headers = { ...request.headers, connection: 'close' };
  const traceparent = inject(within);
  if (traceparent) headers.traceparent = traceparent;
  const onward = http.request({ ...upstream, method: request.method, path: request.url, headers }, (reply) => {
    drain.announce(answer);
    const { connection, 'keep-alive': keepAlive, ...kept } = reply.headers;
    answer.writeHead(reply.statusCode, kept);
    reply.pipe(answer).on('close', () => span.end());
  });
  onward.on('error', () => {
    span.end();
    drain.announce(answer);
    if (!answer.headersSent) answer.writeHead(502);
    answer.end();
  });
  request.pipe(onward);
});
drain.onTerm([server]);
server.listen(knobs.port);
