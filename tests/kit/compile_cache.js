// The CDK's command line is one file of 16 MB, its library and jsii some 300, Playwright two of three
// MB: half of what a start of them computes is compiling that. `node --require` of this file keeps
// what V8 made of it in FANFOLD_NODE_CACHE. Node 22.1 and newer do so by themselves; this is for the older one.
"use strict";

const crypto = require("node:crypto");
const fs = require("node:fs");
const Module = require("node:module");
const path = require("node:path");
const vm = require("node:vm");

const SMALLEST = 2_000; // characters: below, reading costs what compiling does
const folder = process.env.FANFOLD_NODE_CACHE;
const compile = Module.prototype._compile;
const fresh = [];

/** By content: jsii is unpacked anew for each start. V8 refuses what does not fit its flags. */
function cacheOf(content) {
  const digest = crypto.createHash("sha256").update(content).digest("hex").slice(0, 24);
  return path.join(folder, `${digest}-${process.version}.bin`);
}

function read(file) {
  try {
    return fs.readFileSync(file);
  } catch {
    return undefined;
  }
}

/** At the end, with the functions that were compiled on the way; whole under its name. */
function keep({ script, file }) {
  const part = `${file}.${process.pid}`;
  try {
    fs.mkdirSync(folder, { recursive: true });
    fs.writeFileSync(part, script.createCachedData());
    fs.renameSync(part, file);
  } catch {
    // The next start compiles it, as this one did.
  }
}

function requireOf(module) {
  const require = (id) => module.require(id);
  require.resolve = (id, options) => Module._resolveFilename(id, module, false, options);
  require.main = process.mainModule;
  require.cache = Module._cache;
  require.extensions = Module._extensions;
  return require;
}

function compileByCache(content, filename) {
  if (content.length < SMALLEST) return compile.call(this, content, filename);
  const file = cacheOf(content);
  const cachedData = read(file);
  const importModuleDynamically = vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER;
  const script = new vm.Script(Module.wrap(content.replace(/^#!.*/, "")), {
    filename, cachedData, importModuleDynamically,
  });
  if (!cachedData || script.cachedDataRejected) fresh.push({ script, file });
  const run = script.runInThisContext();
  return run.call(this.exports, this.exports, requireOf(this), this, filename, path.dirname(filename));
}

if (folder && Module.enableCompileCache) Module.enableCompileCache(folder);
else if (folder && vm.constants?.USE_MAIN_CONTEXT_DEFAULT_LOADER) {
  Module.prototype._compile = compileByCache;
  process.once("exit", () => fresh.forEach(keep));
}
