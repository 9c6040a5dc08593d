// Postgres behind a pool and a circuit breaker (opossum), and a connection of its own that confirms readiness.
'use strict';
const { setTimeout: sleep } = require('node:timers/promises');
const CircuitBreaker = require('opossum');
const pg = require('pg');
const knobs = require('./knobs');
const { client } = require('./telemetry');

const DEADLINE_MS = 3000;
const PING_MS = 500;
const OPEN_S = 30;

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
    connection.release(error);
    throw error;
  }
}

const attributes = (text) => ({ 'db.system.name': 'postgresql', 'db.query.text': text });
const call = (context, text, values) => client(context, text.split(' ', 1)[0], attributes(text), () => query(text, values));

const breaker = new CircuitBreaker(call, {
  timeout: DEADLINE_MS,
  errorThresholdPercentage: 50,
  rollingCountTimeout: 10_000,
  rollingCountBuckets: 10,
  volumeThreshold: 10,
  resetTimeout: OPEN_S * 1000,
});

/** Rows of a statement; an error has `retryAfter` in seconds. */
async function rows(context, text, values) {
  try {
    return await breaker.fire(context, text, values);
  } catch (error) {
    throw Object.assign(error, { retryAfter: error.code === 'EOPENBREAKER' ? OPEN_S : 1 });
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
  (async () => {
    for (;;) {
      await ping();
      await sleep(500);
    }
  })();
}

/** Gives the connections back, for at most two seconds. */
const close = () => Promise.race([pool.end(), sleep(2000)]);

module.exports = { close, open, ready: () => confirmed, rows };
