// Two tabs, an operator's and a viewer's, that get a week of states as fast as they take them.
//
// The first states are the core's own. Then they are made in the page, by the same names and by the
// page's own event source: of a busy site of 200 streams, from the day before the clocks are put
// back. The clock passes seven days in however many states; each day the core is started anew, once
// so that the browser gives its stream up, and its clock is set back and on. A line per look: what
// each tab holds. `own` are the bytes of the page's objects, texts and functions: what its script
// can keep. The heap has the machine code too, which the browser makes anew as it learns.

import { createRequire } from "node:module";

const [, , modules, executablePath, operator, viewer, states, looks] = process.argv;
const { chromium } = createRequire(`${modules}/`)("playwright-core");
const args = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const browser = await chromium.launch({ executablePath, args, headless: true });

function prepare(states) {
  const DAY = Math.ceil(states / 7);
  const T0 = Date.UTC(2026, 9, 24) / 1000;
  const NASTY = "<img src=x onerror=alert(1)>\u202e\u0000\u001b[31m\u2028";
  const Native = window.EventSource;
  const whole = {};
  let hello = null;
  let current = null;
  window.drawn = 0;
  const frame = window.requestAnimationFrame.bind(window);
  window.requestAnimationFrame = (work) => frame((t) => { window.drawn += 1; work(t); });

  const clock = (n) => {
    const inDay = (n % DAY) / DAY;
    const off = inDay > 0.35 && inDay < 0.43 ? -7200 : inDay > 0.7 && inDay < 0.76 ? 86_400 : 0;
    return T0 + (n / DAY) * 86_400 + off;
  };
  const stream = (n, k) => `line${(n * 7 + k) % 200}`;
  // Of the fifty that are shown ten have got a picture since, and now and then others are shown.
  const streams = (n, t) => Array.from({ length: 50 }, (_, k) => {
    const heard = n - ((n + k) % 5);
    return { name: k ? stream(n >> 9, k) : NASTY, images: heard, failed: heard >> 9, gaps: heard >> 14, last_seq: heard, last_t: t - (n - heard) / 2, held: heard % 13 };
  });
  // The server has a picture of each; a name comes again after a while, as after a restart.
  const images = (n) => whole.images.map((image, k) => {
    const at = n / 400 + k;
    const failed = at % 5 === 0;
    return { ...image, stream: `cam${at % 20}`, seq: 1 + (at % 12), id: `${NASTY}${at}`, status: failed ? "failed" : "ok", reason: failed ? NASTY : "", boxes: failed ? [] : [{ label: NASTY, score: 0.5, box: [0.1, 0.1, 0.6, 0.8] }], top: [] };
  });
  // Of two reasons each has the name of the other: so have two full disks.
  const verdict = (n) => (n % 1000 < 900 ? { state: "ok", reasons: [] } : { state: "degraded", reasons: Array.from({ length: 2 + (n % 12) }, (_, k) => ({ code: `c${k >> 1}`, subject: `w${k >> 1} ${n % 9}`, level: "degraded", problem: NASTY, remedy: "look" })) });

  // What one state of a busy core changes: numbers each time, pictures and points each second.
  function change(n) {
    const t = clock(n);
    const said = { t, core: { ...whole.core, uptime_s: (n % 86_400) / 2 }, splitter: { ...whole.splitter, backlog: n % 97, accepted: n } };
    if (n % 5 === 0) {
      Object.assign(said, { streams: streams(n, t), streams_total: 200, aggregator: { ...whole.aggregator, gaps: n >> 14 }, cloud: { ...whole.cloud, sent: n, last_sync: t - 2 } });
      // One worker is another one every now and then, as after a deployment.
      said.workers = whole.workers.map((w, k) => ({ ...w, id: k ? w.id : `${NASTY}${n >> 10}`, done: n * (k + 1), per_s: n % 40, restarts: n >> 12, last_error: n % 500 < 20 ? NASTY : null }));
    }
    if (n % 2) said.points = [[t, ...hello.columns.slice(1).map((_, k) => (n * (k + 1)) % 101)]];
    if (n % 400 === 0) said.images = images(n);
    if (n % 4 === 0) said.functions = whole.functions.map((f) => ({ ...f, invocations: n, queue: n % 9 }));
    if (n % 50 === 0) said.verdict = verdict(n);
    if (n % 600 === 0) said.jobs = Array.from({ length: 50 }, (_, k) => ({ job: `j${n / 600 - k}`, images: n, ok: n, failed: k, dropped: 0, started: t - 60, ended: t, labels: { [NASTY]: n } }));
    if (n % 900 === 0) said.findings = Array.from({ length: 20 }, (_, k) => ({ level: "warning", code: `F${k}`, text: `${NASTY}${n + k}` }));
    if (n % 1200 === 0) said.clients = Array.from({ length: 50 }, (_, k) => ({ client_id: `${NASTY}${n + k}`, since: t - k, published: n }));
    if (n % 1800 === 0) said.cameras = Array.from({ length: 8 }, (_, k) => ({ name: `cam${k}`, state: "live", source: NASTY, picture: [640, 480], fps_in: 25, fps: 5, accepted: n, dropped: k, stalls: 0, reconnects: n >> 13, frame_age_s: 0.1, error: n % 3600 ? null : NASTY }));
    if (n % 7200 === 0) said.doctor = { t, counts: { ok: 20, warning: 3 }, checks: Array.from({ length: 3 }, (_, k) => ({ level: "warning", message: `${NASTY}${n + k}`, fix: "mend" })) };
    if (n % 20_000 === 0) said.group = { ...whole.group, history: Array.from({ length: 20 }, (_, k) => ({ deployment: `d${(n / 20_000) * 20 + k}`, t, outcome: "applied", detail: NASTY })) };
    return said;
  }

  window.EventSource = class extends EventTarget {
    static CLOSED = 2; // by which the page knows a stream that the browser gave up

    constructor(...given) {
      super();
      current = this;
      this.readyState = 1;
      this.native = new Native(...given);
      for (const name of ["hello", "state"]) {
        this.native.addEventListener(name, ({ data }) => {
          if (name === "hello") hello = JSON.parse(data);
          else Object.assign(whole, JSON.parse(data));
          this.send(name, data);
        });
      }
    }

    send(name, data) {
      this.dispatchEvent(new MessageEvent(name, { data }));
    }

    lose(readyState) {
      this.native.close();
      this.readyState = readyState;
      this.onerror?.(new Event("error"));
    }
  };

  const greet = (n) => current.send("hello", JSON.stringify({ ...hello, boot: `b${n}`, site: "demo", regions: {} }));
  async function restart(n) {
    const given_up = n % (2 * DAY) > DAY;
    current.lose(given_up ? 2 : 0);
    const before = current;
    for (let tries = 0; given_up && current === before && tries < 300; tries += 1) await new Promise((go) => setTimeout(go, 50));
    if (given_up && current === before) throw new Error("the page asked for no new stream");
    current.native.close();
    greet(n);
  }

  window.live = async (from, until) => {
    if (from === 0) { current.native.close(); greet(0); }
    for (let n = from; n < until; n += 1) {
      if (n % DAY === DAY >> 1) await restart(n);
      current.send("state", JSON.stringify(change(n)));
      if (n % 100 === 99) await new Promise((go) => setTimeout(go));
    }
    return [document.querySelector("#live").innerText, document.body.innerHTML.includes("<img src=\"x\"")];
  };
}

async function open(url) {
  const context = await browser.newContext({ timezoneId: "Europe/Berlin", viewport: { width: 1280, height: 900 } });
  const page = await context.newPage();
  const tab = { page, errors: [] };
  page.on("pageerror", (error) => tab.errors.length < 5 && tab.errors.push(String(error)));
  await page.addInitScript(prepare, Number(states));
  await page.goto(url, { waitUntil: "load" });
  await page.waitForFunction(() => document.querySelector(".image img"));
  tab.session = await context.newCDPSession(page);
  await tab.session.send("Performance.enable");
  return tab;
}

const OWN = ["array", "closure", "concatenated string", "number", "object", "regexp", "sliced string", "string", "symbol"];

async function own(session) {
  const parts = [];
  const add = ({ chunk }) => parts.push(chunk);
  session.on("HeapProfiler.addHeapSnapshotChunk", add);
  await session.send("HeapProfiler.takeHeapSnapshot", { reportProgress: false });
  session.off("HeapProfiler.addHeapSnapshotChunk", add);
  const { snapshot: { meta }, nodes } = JSON.parse(parts.join(""));
  const [type, size, width] = [meta.node_fields.indexOf("type"), meta.node_fields.indexOf("self_size"), meta.node_fields.length];
  const counted = meta.node_types[type].map((name) => OWN.includes(name));
  let bytes = 0;
  for (let at = 0; at < nodes.length; at += width) if (counted[nodes[at + type]]) bytes += nodes[at + size];
  return bytes;
}

async function look({ page, session, errors }, from, until) {
  const [live, obeyed] = await page.evaluate(([a, b]) => window.live(a, b), [from, until]);
  for (const _ of [1, 2]) await session.send("HeapProfiler.collectGarbage");
  const { metrics } = await session.send("Performance.getMetrics");
  const of = Object.fromEntries(metrics.map(({ name, value }) => [name, value]));
  const drawn = await page.evaluate(() => window.drawn);
  return { live, obeyed, errors, drawn, own: await own(session), heap: of.JSHeapUsedSize, nodes: of.Nodes, listeners: of.JSEventListeners, documents: of.Documents };
}

const tabs = [await open(operator), await open(viewer)];
const step = Math.ceil(states / looks);
for (let from = 0; from < states; from += step) {
  const began = Date.now();
  const looks = await Promise.all(tabs.map((tab) => look(tab, from, from + step)));
  process.stdout.write(`${JSON.stringify({ states: from + step, s: (Date.now() - began) / 1000, tabs: looks })}\n`);
}
await browser.close();
