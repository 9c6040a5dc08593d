// Postgres behind a pool and a circuit breaker, and a connection of its own that says whether it is there.
'use strict';
const { setTimeout: sleep } = require('node:timers/promises');
const CircuitBreaker = require('opossum');
const pg = require('pg');

const DEADLINE_MS = 1000;
const PING_MS = 500;
const OPEN_S = 7;

const connectionString = process.env.DATABASE_URL;
const pool = new pg.Pool({ connectionString, max: 10, connectionTimeoutMillis: DEADLINE_MS });
pool.on('error', () => {}); // an idle connection that ends is replaced by the next call
// And one that ends between two queries of its user would end the process: the pool listens to idle ones alone.
pool.on('connect', (connection) => connection.on('error', () => {}));

// What the server says of our data is no failure of the server: classes 22 and 23.
const blameless = (error) => /^2[23]/.test(error.code ?? '');

async function query(text, values) {
  const end = Date.now() + DEADLINE_MS;
  const connection = await pool.connect();
  try {
    const answer = await connection.query({ text, values, query_timeout: Math.max(1, end - Date.now()) });
    connection.release();
    return answer.rows;
  } catch (error) {
    // A connection that was given up, or leads to a server that is read-only now, is of no more use.
    connection.release(blameless(error) ? undefined : error);
    throw error;
  }
}

const breaker = new CircuitBreaker(query, {
  timeout: DEADLINE_MS,
  errorThresholdPercentage: 50,
  rollingCountTimeout: 5000,
  rollingCountBuckets: 10,
  volumeThreshold: 10,
  resetTimeout: OPEN_S * 1000,
  errorFilter: blameless,
});

/** Rows of a statement; an error says by `retryAfter` when to come again, in seconds. */
async function rows(text, values) {
  try {
    return await breaker.fire(text, values);
  } catch (error) {
    throw Object.assign(error, { retryAfter: error.code === 'EOPENBREAKER' ? OPEN_S : 1 });
  }
}

let reachable = false;

async function ping() {
  const connection = new pg.Client({ connectionString, connectionTimeoutMillis: PING_MS, query_timeout: PING_MS });
  connection.on('error', () => {}); // the next query says so
  try {
    await connection.connect();
    for (;;) {
      await connection.query('SELECT 1');
      reachable = true;
      await sleep(1000);
    }
  } catch {
    reachable = false;
    connection.end().catch(() => {});
  }
}

/** Asks the database from now on, once a second, whether it is there. */
async function watch() {
  for (;;) {
    await ping();
    await sleep(500);
  }
}

module.exports = { isReachable: () => reachable, rows, watch };
