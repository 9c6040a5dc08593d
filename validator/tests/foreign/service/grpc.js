// grpc.health.v1.Health/Check, written by hand: the request is ignored, the answer is one enum.
'use strict';
const { Server, ServerCredentials } = require('@grpc/grpc-js');

const SERVING = Buffer.from([0x08, 0x01]);
const NOT_SERVING = Buffer.from([0x08, 0x02]);
const method = {
  path: '/grpc.health.v1.Health/Check',
  requestStream: false,
  responseStream: false,
  requestSerialize: (bytes) => bytes,
  requestDeserialize: (bytes) => bytes,
  responseSerialize: (bytes) => bytes,
  responseDeserialize: (bytes) => bytes,
};

/** Serves the health of this process on a port; `liveness` as the service's name is served whatever happens. */
function serve(port, ready) {
  const server = new Server();
  const live = (request) => request.includes('liveness');
  server.addService({ Check: method }, { Check: (call, answer) => answer(null, live(call.request) || ready() ? SERVING : NOT_SERVING) });
  server.bindAsync(`0.0.0.0:${port}`, ServerCredentials.createInsecure(), (error) => {
    if (error) throw error;
  });
  return server;
}

module.exports = { method, serve };
