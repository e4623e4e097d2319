// The CDK's command line is one file of 16 MB, Playwright two of three, and half of what a start of
// either computes is compiling them: `node --require` of this file keeps what V8 made of them in
// FANFOLD_NODE_CACHE.
// Node 22.1 and newer do so by themselves; this is for the older one.
"use strict";

const fs = require("node:fs");
const Module = require("node:module");
const path = require("node:path");
const vm = require("node:vm");

const BUNDLES = [
  path.join("aws-cdk", "lib", "index.js"),
  path.join("playwright-core", "lib", "coreBundle.js"),
  path.join("playwright-core", "lib", "utilsBundle.js"),
];
const folder = process.env.FANFOLD_NODE_CACHE;
const compile = Module.prototype._compile;

/** Another edition of the file or of Node has a name of its own; V8 refuses what does not fit. */
function cacheOf(filename, bundle) {
  const { size, mtimeMs } = fs.statSync(filename);
  return path.join(folder, `${bundle.replaceAll(path.sep, "-")}-${size}-${Math.trunc(mtimeMs)}-${process.version}.bin`);
}

function read(file) {
  try {
    return fs.readFileSync(file);
  } catch {
    return undefined;
  }
}

/** At the end, with the functions that were compiled on the way; whole under its name. */
function keep(script, file) {
  const part = `${file}.${process.pid}`;
  try {
    fs.mkdirSync(folder, { recursive: true });
    fs.writeFileSync(part, script.createCachedData());
    fs.renameSync(part, file);
  } catch {
    // The next start compiles it, as this one did.
  }
}

function compileByCache(content, filename) {
  const bundle = BUNDLES.find((each) => filename.endsWith(each));
  if (!bundle) return compile.call(this, content, filename);
  const file = cacheOf(filename, bundle);
  const cachedData = read(file);
  const importModuleDynamically = vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER;
  const script = new vm.Script(Module.wrap(content), { filename, cachedData, importModuleDynamically });
  if (!cachedData || script.cachedDataRejected) process.once("exit", () => keep(script, file));
  const require = Module.createRequire(filename);
  require.main = process.mainModule;
  const run = script.runInThisContext();
  return run.call(this.exports, this.exports, require, this, filename, path.dirname(filename));
}

if (folder && Module.enableCompileCache) Module.enableCompileCache(folder);
else if (folder && vm.constants?.USE_MAIN_CONTEXT_DEFAULT_LOADER) Module.prototype._compile = compileByCache;
