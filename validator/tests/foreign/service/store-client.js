// The client of store.js: one connection, made again at the next call after it was lost; a call waits half a second.
'use strict';
const net = require('node:net');
const knobs = require('./knobs');
const { client } = require('./telemetry');

const [host, port] = knobs.store.split(':');
const WAIT_MS = 500;
let connection;

function connect() {
  const socket = net.connect({ host, port: Number(port) }).setNoDelay();
  const made = { socket, waiting: [], greeted: false, rest: Buffer.alloc(0) };
  const lost = () => {
    if (connection === made) connection = undefined;
    for (const { fail } of made.waiting.splice(0)) fail(new Error('the store is gone'));
  };
  socket.on('error', lost).on('close', lost);
  socket.on('data', (bytes) => {
    made.rest = Buffer.concat([made.rest, bytes]);
    while (made.rest.length > made.rest[0]) {
      const body = made.rest.subarray(1, 1 + made.rest[0]).toString();
      made.rest = made.rest.subarray(1 + made.rest[0]);
      if (made.greeted) made.waiting.shift()?.done(body);
      made.greeted = true;
    }
  });
  return made;
}

function call(id) {
  connection ??= connect();
  const { socket, waiting } = connection;
  return new Promise((done, fail) => {
    // Answers come in order: one that is late ends the connection, and all that wait on it.
    const late = setTimeout(() => socket.destroy(new Error('the store is late')), WAIT_MS);
    const settle = (end) => (value) => {
      clearTimeout(late);
      end(value);
    };
    waiting.push({ done: settle(done), fail: settle(fail) });
    const body = Buffer.from(String(id));
    socket.write(Buffer.concat([Buffer.from([body.length]), body]));
  });
}

const attributes = { 'db.system.name': 'mysql', 'server.address': host };

module.exports = { get: (context, id) => client(context, 'GET', attributes, () => call(id)) };
