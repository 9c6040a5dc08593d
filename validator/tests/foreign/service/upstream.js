// Another service over HTTP, behind a circuit breaker of its own.
'use strict';
const http = require('node:http');
const CircuitBreaker = require('opossum');
const knobs = require('./knobs');
const { client, inject } = require('./telemetry');

const agent = new http.Agent({ keepAlive: true });

function ask(context, id) {
  return new Promise((done, fail) => {
    const options = { agent, headers: { traceparent: inject(context) ?? '' }, timeout: knobs.deadlineMs };
    const request = http.get(`${knobs.upstream}/orders/${id}`, options, (answer) => {
      const parts = [];
      answer.on('data', (part) => parts.push(part)).on('error', fail);
      answer.on('end', () => done({ status: answer.statusCode, body: Buffer.concat(parts).toString() }));
    });
    request.on('timeout', () => request.destroy(new Error('late'))).on('error', fail);
  });
}

async function call(context, id) {
  const { status, body } = await client(context, 'GET', { 'http.request.method': 'GET' }, (within) => ask(within, id));
  if (status === 200) return JSON.parse(body);
  if (knobs.exceptionsOnly) return undefined;
  throw new Error(`the other service answered ${status}`);
}

const breaker = new CircuitBreaker(call, {
  timeout: knobs.deadlineMs,
  errorThresholdPercentage: 50,
  rollingCountTimeout: knobs.windowMs,
  rollingCountBuckets: 10,
  volumeThreshold: 10,
  resetTimeout: knobs.openS * 1000,
});

/** What it knows of an item; where it gave nothing that can be read there is no answer. */
async function orders(context, id) {
  const known = await breaker.fire(context, id).catch((error) => {
    throw Object.assign(error, { retryAfter: error.code === 'EOPENBREAKER' ? knobs.openS : 1 });
  });
  if (known === undefined) throw new Error('the other service did not answer');
  return known;
}

module.exports = { orders };
