'use strict';
// The client that the published aws-greengrass-core-sdk requires and does not contain.
const { roundtrip } = require('../../wire');

class IPCClient {
  postWork(functionArn, payload, clientContext, invocationType, callback) {
    const headers = { 'X-Amz-Invocation-Type': invocationType };
    if (clientContext) headers['X-Amz-Client-Context'] = clientContext;
    roundtrip('POST', functionArn, payload, headers, (error, reply) => {
      callback(error, error ? undefined : reply.invocationId);
    });
  }

  getWorkResult(functionArn, invocationId, callback) {
    roundtrip('GET', functionArn, '', { 'X-Amz-InvocationId': invocationId }, (error, reply) => {
      if (error) callback(error);
      else callback(null, reply.body, reply.error, reply.status);
    });
  }
}

module.exports = IPCClient;
