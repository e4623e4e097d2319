// Two pages left open: what they hold, looked at every few seconds, one JSON line each.

import { createRequire } from "node:module";

const [, , modules, executablePath, profile, seconds, everyS, ...urls] = process.argv;
const { chromium } = createRequire(`${modules}/`)("playwright-core");
const args = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const browser = await chromium.launchPersistentContext(profile, { executablePath, args, headless: true, ignoreHTTPSErrors: true });
const pages = [];
for (const url of urls) {
  const page = await browser.newPage();
  const found = { url, page, errors: 0, streams: 0 };
  page.on("pageerror", () => { found.errors += 1; });
  page.on("request", (request) => { if (request.url().endsWith("/api/stream")) found.streams += 1; });
  // Each page counts its own events; what they hold is let go.
  await page.addInitScript(() => {
    window.stateEvents = 0;
    const Native = window.EventSource;
    window.EventSource = class extends Native {
      constructor(...given) {
        super(...given);
        this.addEventListener("state", () => { window.stateEvents += 1; });
      }
    };
  });
  await page.goto(url, { waitUntil: "load" });
  found.session = await page.context().newCDPSession(page);
  await found.session.send("Performance.enable");
  pages.push(found);
}

async function look({ url, page, session, errors, streams }) {
  await session.send("HeapProfiler.collectGarbage");
  const { metrics } = await session.send("Performance.getMetrics");
  const of = Object.fromEntries(metrics.map(({ name, value }) => [name, value]));
  const [events, live] = await page.evaluate(() => [window.stateEvents, document.querySelector("#live")?.innerText ?? ""]);
  return { url, events, live, errors, streams, heap: of.JSHeapUsedSize, nodes: of.Nodes, listeners: of.JSEventListeners, documents: of.Documents };
}

const end = Date.now() + seconds * 1000;
for (;;) {
  process.stdout.write(`${JSON.stringify(await Promise.all(pages.map(look)))}\n`);
  if (Date.now() >= end) break;
  await new Promise((resolve) => setTimeout(resolve, everyS * 1000));
}
await browser.close();
