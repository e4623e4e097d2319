// A browser on a leash: one JSON command a line on stdin, one JSON answer a line on stdout.
// The tests themselves are in Python, beside the server that they drive.

import { createInterface } from "node:readline";
import { createRequire } from "node:module";

const [, , modules, executablePath, profile] = process.argv;
const { chromium } = createRequire(`${modules}/`)("playwright-core");
// One renderer serves every page, and none is kept ready for the next: a process a page is a third
// of what opening it computes. The features before the last three are Playwright's own choice, as
// Chromium heeds the last list only.
const OFF = ["AvoidUnnecessaryBeforeUnloadCheckSync", "DestroyProfileOnBrowserClose", "DialMediaRouteProvider", "GlobalMediaControls",
  "HttpsUpgrades", "LensOverlay", "MediaRouter", "PaintHolding", "ThirdPartyStoragePartitioning", "Translate", "OptimizationHints",
  "NetworkTimeServiceQuerying", "AimEnabled", "SpareRendererForSitePerProcess", "IsolateOrigins", "site-per-process"];
const args = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
  "--disable-sync", "--disable-site-isolation-trials", "--renderer-process-limit=1", `--disable-features=${OFF}`];
const browser = await chromium.launchPersistentContext(profile, { executablePath, args, headless: true, ignoreHTTPSErrors: true });

const page = browser.pages()[0] ?? await browser.newPage();
let seen = null;
page.on("request", (request) => seen?.urls.push(request.url()));
page.on("pageerror", (error) => seen?.errors.push(String(error.stack)));
page.on("console", (message) => message.type() === "error"
  && seen?.errors.push(`${message.text()} ${message.location().url}`.trim()));
page.on("dialog", (dialog) => dialog.accept());

// What a tab that was just opened does not know either.
async function forget() {
  await page.evaluate("try { sessionStorage.clear(); } catch {}").catch(() => {});
  await page.goto("about:blank");
  await page.unrouteAll();
  seen = { urls: [], errors: [] };
}

const looking = (script, ms) => `new Promise((done, fail) => {
  const end = performance.now() + ${ms};
  const look = () => {
    try {
      if (${script}) done(true);
      else if (performance.now() < end) setTimeout(look, 50);
      else done(false);
    } catch (error) { fail(error); }
  };
  look();
})`;

const commands = {
  async open({ url, width = 1400, height = 1000, scheme = "light", refuse = "" }) {
    await forget();
    if (refuse) await page.route(refuse, (route) => route.abort());
    await page.setViewportSize({ width, height });
    await page.emulateMedia({ colorScheme: scheme });
    await page.goto(url, { waitUntil: "load" });
  },
  evaluate: ({ script }) => page.evaluate(script),
  // Not waitForFunction: it evaluates in the page, and the page's policy forbids that. The page looks
  // by itself, which costs nobody a message; one that is being left is asked again as the next.
  async wait({ script, timeout_ms }) {
    for (const end = Date.now() + timeout_ms; Date.now() < end; await page.waitForTimeout(50)) {
      const answer = await page.evaluate(looking(script, end - Date.now())).catch((error) => {
        if (!String(error).includes("context was destroyed")) throw error;
      });
      if (answer) return true;
    }
    throw new Error(`not within ${timeout_ms} ms: ${script}`);
  },
  click: ({ selector }) => page.click(selector),
  fill: ({ selector, text }) => page.fill(selector, text),
  // Steps of a pointer, in pixels of the window: [["move", x, y] | ["down"] | ["up"], …].
  async mouse({ steps }) {
    for (const [what, ...at] of steps) await page.mouse[what](...at);
  },
  // One finger, as a phone has it.
  async touch({ steps }) {
    const session = await page.context().newCDPSession(page);
    await session.send("Emulation.setTouchEmulationEnabled", { enabled: true });
    for (const [type, ...at] of steps) {
      const touchPoints = at.length ? [{ x: at[0], y: at[1] }] : [];
      await session.send("Input.dispatchTouchEvent", { type, touchPoints });
    }
    await session.detach();
  },
  press: ({ key }) => page.keyboard.press(key),
  screenshot: async ({ path, full = true }) => { await page.screenshot({ path, fullPage: full }); },
  seen: () => seen,
};

for await (const line of createInterface({ input: process.stdin })) {
  const { command, ...given } = JSON.parse(line);
  let answer;
  try {
    answer = { value: (await commands[command](given)) ?? null };
  } catch (error) {
    answer = { error: String(error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await browser.close();
