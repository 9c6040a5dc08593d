// A store with a protocol of its own, standing for MySQL and the like: the server speaks first, then each length-prefixed
// packet is answered with one.
'use strict';
const net = require('node:net');

const packet = (body) => Buffer.concat([Buffer.from([body.length]), Buffer.from(body)]);

net
  .createServer((socket) => {
    socket.on('error', () => {});
    socket.write(packet('store 1.0'));
    let rest = Buffer.alloc(0);
    socket.on('data', (bytes) => {
      rest = Buffer.concat([rest, bytes]);
      while (rest.length > rest[0]) {
        const asked = rest.subarray(1, 1 + rest[0]).toString();
        rest = rest.subarray(1 + rest[0]);
        socket.write(packet(`value of ${asked}`));
      }
    });
  })
  .listen(Number(process.env.PORT ?? 3306));
process.on('SIGTERM', () => process.exit(0));
