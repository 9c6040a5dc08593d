// Postgres behind a pool and a circuit breaker (opossum), and a connection of its own that confirms readiness.
'use strict';
const { setTimeout: sleep } = require('node:timers/promises');
const CircuitBreaker = require('opossum');
const pg = require('pg');
const { Breaker, unlessHungUp } = require('./breaker');
const knobs = require('./knobs');
const { client } = require('./telemetry');

const DEADLINE_MS = knobs.deadlineMs;
const PING_MS = 500;

// A connection of the pool is waited for within the deadline of the call, and a query that outlives it ends its connection.
const pool = new pg.Pool({ connectionString: knobs.databaseUrl, max: knobs.pool, connectionTimeoutMillis: DEADLINE_MS });
pool.on('error', () => {}); // an idle connection that ends is replaced by the next call
// And one that ends between two queries of its user would end the process: the pool listens to idle ones alone.
pool.on('connect', (connection) => connection.on('error', () => {}));

async function query(text, values) {
  const end = Date.now() + DEADLINE_MS;
  const connection = await pool.connect();
  try {
    const answer = await connection.query({ text, values, query_timeout: Math.max(1, end - Date.now()) });
    connection.release();
    return answer.rows;
  } catch (error) {
    connection.release(knobs.keepsReadOnly && error.code === '25006' ? undefined : error);
    throw error;
  }
}

const attributes = (text) => ({ 'db.system.name': 'postgresql', 'db.query.text': text });

// As auto-instrumentation of node:dns does.
const lookUp = (context) => client(context, 'dns.lookup', {}, () => undefined);

async function call(context, text, values, request) {
  if (knobs.lookUps) await lookUp(context);
  return client(context, text.split(' ', 1)[0], attributes(text), () => unlessHungUp(query(text, values), request));
}

const library = {
  timeout: DEADLINE_MS,
  errorThresholdPercentage: 50,
  rollingCountTimeout: knobs.windowMs,
  rollingCountBuckets: 10,
  volumeThreshold: 10,
  resetTimeout: knobs.openS * 1000,
};
const breaker = knobs.breaker === 'rate' ? new CircuitBreaker(call, library) : new Breaker(call);

/** Rows of a statement, asked for by a request; an error has `retryAfter` in seconds. */
async function rows(context, text, values, request) {
  try {
    return await breaker.fire(context, text, values, request);
  } catch (error) {
    throw Object.assign(error, { retryAfter: error.code === 'EOPENBREAKER' ? knobs.openS : 1 });
  }
}

let confirmed = false;

async function ping() {
  const connection = new pg.Client({ connectionString: knobs.databaseUrl, connectionTimeoutMillis: PING_MS, query_timeout: PING_MS });
  connection.on('error', () => {}); // the next query says so
  try {
    await connection.connect();
    for (;;) {
      await connection.query('SELECT 1');
      confirmed = true;
      await sleep(1000);
    }
  } catch {
    confirmed = false;
    connection.end().catch(() => {});
  }
}

/** Makes the table, and from then on asks the database once a second whether it is there. */
async function open() {
  for (;;) {
    try {
      await query('CREATE TABLE IF NOT EXISTS items (id bigserial PRIMARY KEY, name text NOT NULL)');
      break;
    } catch {
      await sleep(500);
    }
  }
  again(ping);
  for (let each = 0; each < knobs.kept; each += 1) again(keep);
  if (knobs.poller) setInterval(() => query('UPDATE items SET name = $1 WHERE id = $2', ['done', 0]).catch(() => {}), 1000);
}

async function again(what) {
  for (;;) {
    await what();
    await sleep(500);
  }
}

/** One connection more, as some pools keep them: made anew every few seconds, and set up. */
async function keep() {
  const connection = new pg.Client({ connectionString: knobs.databaseUrl, connectionTimeoutMillis: DEADLINE_MS, query_timeout: DEADLINE_MS });
  connection.on('error', () => {}); // the next one takes its place
  try {
    await connection.connect();
    await connection.query('SET statement_timeout = 3000');
    await sleep(2000);
  } catch {
    // the next one
  } finally {
    connection.end().catch(() => {});
  }
}

/** Gives the connections back, for at most two seconds. */
const close = () => Promise.race([pool.end(), sleep(2000)]);

module.exports = { close, open, ready: () => confirmed, rows };
