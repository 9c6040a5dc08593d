// A counter of views in Redis, past any breaker: what Redis refuses is the page's error. The client keeps its connection to a
// server that answers READONLY, as ioredis does by itself.
'use strict';
const Redis = require('ioredis');
const knobs = require('./knobs');
const { client } = require('./telemetry');

const redis = new Redis(knobs.cacheUrl, { commandTimeout: knobs.deadlineMs, maxRetriesPerRequest: 1 });
redis.on('error', () => {}); // it connects again by itself

const attributes = { 'db.system.name': 'redis' };

module.exports = {
  /** One more view of an item. */
  viewed: (context, id) => client(context, 'INCR', attributes, () => redis.incr(`viewed:${id}`)),
  close: () => redis.disconnect(),
};
