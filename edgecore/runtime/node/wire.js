'use strict';
// The calls of docs/spec/ipc.md over connections that stay open.
const http = require('http');

const MAX_BODY_BYTES = 131072;
const agent = new http.Agent({ keepAlive: true });

class WireError extends Error {
  // `status` 0: the core could not be reached.
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

// callback(error, {body, context, error, invocationId, status})
function roundtrip(method, path, body, headers, callback) {
  const content = Buffer.isBuffer(body) ? body : Buffer.from(body === undefined ? '' : body);
  if (content.length > MAX_BODY_BYTES) {
    const text = `payload is ${content.length} bytes (limit ${MAX_BODY_BYTES}): send smaller messages`;
    process.nextTick(callback, new WireError(text, 413));
    return;
  }
  const request = http.request({
    agent,
    host: '127.0.0.1',
    port: Number(process.env.GG_DAEMON_PORT || 8000),
    method,
    path: `/2016-11-01/functions/${path}`,
    headers: Object.assign({
      Authorization: process.env.AWS_CONTAINER_AUTHORIZATION_TOKEN,
      'Content-Length': content.length,
    }, headers),
  }, (response) => {
    const parts = [];
    response.on('data', (part) => parts.push(part));
    response.on('end', () => {
      const all = Buffer.concat(parts);
      if (response.statusCode !== 200) {
        const text = `the core answered ${response.statusCode}: ${all.toString().trim()}`;
        callback(new WireError(text, response.statusCode));
        return;
      }
      callback(null, {
        body: all,
        status: response.statusCode,
        context: response.headers['x-amz-client-context'] || '',
        error: response.headers['x-amz-function-error'] || '',
        invocationId: response.headers['x-amz-invocationid'] || '',
      });
    });
  });
  request.on('error', (error) => callback(new WireError(`no core: ${error.message}`, 0)));
  request.end(content);
}

module.exports = { WireError, roundtrip };
