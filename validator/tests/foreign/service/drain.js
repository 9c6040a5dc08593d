// What a well-made HTTP service does at SIGTERM: says so, goes on accepting while endpoints propagate, finishes, exits.
'use strict';
const net = require('node:net');
const { setTimeout: sleep } = require('node:timers/promises');
const knobs = require('./knobs');
const { flush } = require('./telemetry');

/** Whether SIGTERM has come. */
const state = { draining: false };

async function stop(servers) {
  state.draining = true;
  await sleep(knobs.lameduck * 1000);
  let open = servers.length;
  // Not http.Server's own close, which from Node 19 on cuts idle connections before they were told.
  for (const server of servers) net.Server.prototype.close.call(server, () => (open -= 1));
  const end = Date.now() + (knobs.drain - knobs.lameduck) * 1000;
  while (open > 0 && Date.now() < end) await sleep(50);
  for (const server of servers) server.closeAllConnections();
}

/** Ends the process in good order at SIGTERM; `finish` runs after the last answer. */
function onTerm(servers, finish = async () => {}) {
  process.once('SIGTERM', async () => {
    await stop(servers);
    await finish();
    await flush();
    process.exit(knobs.exitCode);
  });
}

/** Tells the client that its connection ends with this answer. */
function announce(answer) {
  if (state.draining) answer.shouldKeepAlive = false;
}

module.exports = { announce, onTerm, state };
