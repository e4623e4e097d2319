'use strict';
// Fetch, handle, answer, for ever (docs/spec/ipc.md).
const path = require('path');
const { roundtrip } = require('./wire');

const BACKOFF_FIRST_MS = 50;
const BACKOFF_MAX_MS = 500;
const BACKOFF_TOTAL_MS = 3000; // then the process ends, as AWS's own wrapper did

const ARN = process.env.MY_FUNCTION_ARN;
const BINARY = process.env.ENCODING_TYPE === 'binary';

function run(handlerName) {
  const dot = handlerName.lastIndexOf('.');
  let handler;
  try {
    const found = require(path.resolve(handlerName.slice(0, dot)));
    handler = found[handlerName.slice(dot + 1)];
    if (typeof handler !== 'function') throw new Error('the module exports no such function');
  } catch (error) {
    console.error(`[FATAL]-Failed to import handler function "${handlerName}" due to exception: ` +
      `${error.stack || error}`);
    process.exit(1);
  }
  const body = '{"Success":true,"Response":""}';
  roundtrip('PUT', `${ARN}/initialized`, body, {}, () => next(handler, 0));
}

function next(handler, waitedMs) {
  roundtrip('GET', `${ARN}/work`, '', {}, (error, reply) => {
    if (!error) {
      handle(handler, reply);
    } else if (waitedMs >= BACKOFF_TOTAL_MS || error.status === 401 || error.status === 403) {
      console.error(`[FATAL]-lost the connection to the core: ${error.message}`);
      process.exit(1);
    } else {
      const pauseMs = Math.min(BACKOFF_MAX_MS, Math.max(BACKOFF_FIRST_MS, waitedMs));
      setTimeout(() => next(handler, waitedMs + pauseMs), pauseMs);
    }
  });
}

function handle(handler, item) {
  let settled = false;
  const finish = (error, result) => {
    if (settled) return;
    settled = true;
    answer(handler, item.invocationId, error, result);
  };
  try {
    const event = BINARY ? item.body : JSON.parse(item.body.length ? item.body.toString() : '{}');
    const returned = handler(event, contextOf(item, finish), finish);
    if (returned && typeof returned.then === 'function') {
      returned.then((result) => finish(null, result), (error) => finish(error || new Error()));
    } else if (handler.length < 3) {
      finish(null, returned); // takes no callback, so it is done; with one it says when
    }
  } catch (error) {
    finish(error);
  }
}

function answer(handler, invocationId, error, result) {
  const headers = { 'X-Amz-InvocationId': invocationId };
  let body;
  try {
    body = error ? null : encoded(result);
  } catch (problem) {
    error = problem;
  }
  if (error) {
    console.error(`[ERROR]-handler failed: ${error.stack || error}`);
    headers['X-Amz-Function-Error'] = 'Handled';
    body = JSON.stringify({
      errorMessage: String(error.message || error),
      errorType: error.name || 'Error',
      stackTrace: String(error.stack || '').split('\n').slice(1, 21),
    });
  }
  roundtrip('POST', `${ARN}/work`, body, headers, (refused) => {
    if (refused) console.error(`[ERROR]-the core did not accept the result: ${refused.message}`);
    next(handler, 0);
  });
}

function encoded(result) {
  if (BINARY) return result === undefined || result === null ? '' : Buffer.from(result);
  return JSON.stringify(result === undefined ? null : result);
}

function contextOf(item, finish) {
  const name = ARN.split(':');
  let given;
  try {
    given = JSON.parse(Buffer.from(item.context || '', 'base64').toString() || '{}') || {};
  } catch (error) {
    given = {};
  }
  const or = (value) => (value === undefined || value === null ? {} : value);
  return {
    invokedFunctionArn: ARN,
    awsRequestId: item.invocationId,
    functionName: name[6],
    functionVersion: name[7] || '',
    identity: null,
    clientContext: {
      client: or(given.client), Custom: or(given.custom), custom: or(given.custom),
      env: or(given.env),
    },
    callbackWaitsForEmptyEventLoop: false,
    done: finish,
    succeed: (result) => finish(null, result),
    fail: (error) => finish(error || new Error('failed')),
  };
}

module.exports = { run };
