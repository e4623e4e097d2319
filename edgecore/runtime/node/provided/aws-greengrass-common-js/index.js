'use strict';
// Names, ARNs and a logger that the published aws-greengrass-core-sdk requires of the core.
const ARN = /^arn:aws[a-z-]*:lambda:([a-z0-9-]*):(\d{12}|):function:([A-Za-z0-9_-]{1,64})(?::(\$LATEST|[A-Za-z0-9_-]{1,128}))?$/;
const LEVELS = ['DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'];

class FunctionArnFields {
  constructor(functionArn) {
    const found = ARN.exec(functionArn);
    if (!found) throw new Error(`not a Lambda function ARN: ${functionArn}`);
    this.region = found[1];
    this.accountId = found[2];
    this.name = found[3];
    this.qualifier = found[4];
    this.unqualifiedArn = found[4] ? functionArn.slice(0, -found[4].length - 1) : functionArn;
  }
}

function buildFunctionArn(unqualifiedArn, qualifier) {
  return qualifier ? `${unqualifiedArn}:${qualifier}` : unqualifiedArn;
}

class LocalWatchLogger {}
for (const level of LEVELS) {
  LocalWatchLogger.prototype[level.toLowerCase()] = (text) => {
    // The SDK logs every publish at debug level, with its payload.
    if (level !== 'DEBUG') console.log(`[${new Date().toISOString()}][${level}]-${text}`);
  };
}

module.exports = {
  envVars: {
    AUTH_TOKEN: process.env.AWS_CONTAINER_AUTHORIZATION_TOKEN,
    MY_FUNCTION_ARN: process.env.MY_FUNCTION_ARN,
    ROUTER_FUNCTION_ARN: process.env.ROUTER_FUNCTION_ARN,
    SHADOW_FUNCTION_ARN: process.env.SHADOW_FUNCTION_ARN,
    SECRETS_MANAGER_FUNCTION_ARN: process.env.SECRETS_MANAGER_FUNCTION_ARN,
    STREAM_MANAGER_SERVER_PORT: process.env.STREAM_MANAGER_SERVER_PORT || '8088',
  },
  FunctionArnFields,
  buildFunctionArn,
  logging: { LocalWatchLogger },
};
