// The end: clients are told, new ones are still served while whoever routes to us hears of it, then the rest is finished.
'use strict';
const net = require('node:net');
const { setTimeout: sleep } = require('node:timers/promises');

const LAMEDUCK_MS = 3000;
const DRAIN_MS = 8000;
const FLUSH_MS = 2000;

const state = { draining: false };

/** Middleware: every answer says that its connection ends with it, once we are about to. */
function announce(request, answer, next) {
  if (state.draining) answer.set('Connection', 'close');
  next();
}

async function drain(server) {
  state.draining = true;
  await sleep(LAMEDUCK_MS);
  let open = true;
  // Not http.Server's own close: from Node 19 on that cuts idle connections before they were told.
  net.Server.prototype.close.call(server, () => (open = false));
  const end = Date.now() + DRAIN_MS - LAMEDUCK_MS;
  while (open && Date.now() < end) await sleep(50);
  server.closeAllConnections();
}

/** Ends the process in good order at SIGTERM; `flush` sends what is left of the spans. */
function onTerm(server, flush) {
  process.once('SIGTERM', async () => {
    await drain(server);
    await Promise.race([flush().catch(() => {}), sleep(FLUSH_MS)]);
    process.exit(0);
  });
}

module.exports = { announce, isDraining: () => state.draining, onTerm };
