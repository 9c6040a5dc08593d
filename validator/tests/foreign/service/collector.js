// A collector that refuses: reads what it is sent and answers STATUS.
'use strict';
const http = require('node:http');

const status = Number(process.env.STATUS ?? 429);
http
  .createServer((request, answer) => {
    request.resume().on('end', () => answer.writeHead(status, { 'content-type': 'application/json' }).end('{}\n'));
  })
  .listen(Number(process.env.PORT ?? 4318));
process.on('SIGTERM', () => process.exit(0));
