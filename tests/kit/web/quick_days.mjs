// One page that gets the states of days in minutes: what it holds, looked at ten times.
//
// The first states are the core's own. Then they are made in the page, by the same names and with
// the same parts, as fast as it takes them: two are a second of a core.

import { createRequire } from "node:module";

const [, , modules, executablePath, profile, url, states] = process.argv;
const { chromium } = createRequire(`${modules}/`)("playwright-core");
const args = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const browser = await chromium.launchPersistentContext(profile, { executablePath, args, headless: true });
const page = await browser.newPage();
const errors = [];
page.on("pageerror", (error) => errors.push(String(error)));

await page.addInitScript(() => {
  const Native = window.EventSource;
  const heard = { columns: [], whole: {} };

  // What one state of a busy core changes: numbers each time, a point each second, now and then
  // an image.
  const change = (n) => {
    const t = heard.t + n / 2;
    const said = { t, splitter: { ...heard.whole.splitter, backlog: n % 97, accepted: n } };
    if (n % 2) said.points = [[t, ...heard.columns.slice(1).map((_, k) => (n * (k + 1)) % 101)]];
    if (n % 20 === 0) {
      said.images = heard.whole.images.map((image, k) => (k ? image : { ...image, seq: image.seq + n }));
      said.streams = (heard.whole.streams ?? []).map((row) => ({ ...row, last_seq: n, last_t: t }));
      said.workers = heard.whole.workers.map((worker) => ({ ...worker, done: n }));
    }
    return said;
  };

  window.EventSource = class extends EventTarget {
    constructor(...given) {
      super();
      const source = new Native(...given);
      for (const name of ["hello", "state"]) {
        source.addEventListener(name, (event) => {
          const data = JSON.parse(event.data);
          if (name === "hello") heard.columns = data.columns;
          else Object.assign(heard.whole, data, { points: undefined });
          heard.t = data.t ?? heard.t;
          this.dispatchEvent(new MessageEvent(name, { data: event.data }));
        });
      }
      window.quicken = async (from, until) => {
        source.close();
        for (let n = from; n < until; n += 1) {
          this.dispatchEvent(new MessageEvent("state", { data: JSON.stringify(change(n)) }));
          if (n % 40 === 39) await new Promise((resolve) => setTimeout(resolve));
        }
      };
    }
  };
});
await page.goto(url, { waitUntil: "load" });
for (let n = 0; n < 300 && !(await page.evaluate(() => document.querySelector(".image img"))); n += 1) await page.waitForTimeout(100);
await page.waitForTimeout(2000);
const session = await page.context().newCDPSession(page);
await session.send("Performance.enable");

const step = Math.ceil(states / 10);
for (let from = 0; from < states; from += step) {
  const began = Date.now();
  await page.evaluate(([a, b]) => window.quicken(a, b), [from, from + step]);
  await session.send("HeapProfiler.collectGarbage");
  const { metrics } = await session.send("Performance.getMetrics");
  const of = Object.fromEntries(metrics.map(({ name, value }) => [name, value]));
  process.stdout.write(`${JSON.stringify({ states: from + step, s: (Date.now() - began) / 1000, errors: errors.length, heap: of.JSHeapUsedSize, nodes: of.Nodes, listeners: of.JSEventListeners })}\n`);
}
await browser.close();
