'use strict';
// Started by the core inside a function's process: `node bootstrap.js MODULE.FUNCTION`.
// Node.js 6 and newer, nothing but its own modules. The working directory is the function's code.
const path = require('path');

const provided = path.join(__dirname, 'provided');
// Behind the function's own modules, as V1 had it: what is bundled there wins.
process.env.NODE_PATH = [process.env.NODE_PATH, provided].filter(Boolean).join(path.delimiter);
require('module')._initPaths();

const { run } = require('./work');

process.on('SIGTERM', () => process.exit(0));
run(process.argv[2]);
