// Redis, of which nothing depends: it may be late, gone or read-only, and nobody is worse off.
'use strict';
const Redis = require('ioredis');

const TIMEOUT_MS = 200;

const redis = new Redis(process.env.REDIS_URL, {
  commandTimeout: TIMEOUT_MS,
  connectTimeout: TIMEOUT_MS,
  enableOfflineQueue: false, // no request waits for a connection that may never come
  maxRetriesPerRequest: 0,
  retryStrategy: () => 500,
});
redis.on('error', () => {}); // each command says so itself

/** What is known of a key, if anything. */
const get = (key) => redis.get(key).catch(() => null);

/** Keeps it for some seconds, if that can be done. */
const keep = (key, value, seconds) => redis.set(key, value, 'EX', seconds).catch(() => {});

module.exports = { get, keep };
