// Wiring: events in, the page's parts out.

import { allow, buildActions, drain, restart } from "./actions.js";
import { showCameras } from "./cameras.js";
import { Charts } from "./charts.js";
import { byId, setClass, setText, showTheme } from "./dom.js";
import { follow } from "./feed.js";
import { duration } from "./format.js";
import { showImages, useRegions } from "./images.js";
import { openLog, showLogNames, startLogs } from "./logs.js";
import { showPerson, takeTokenFromAddress, whoAmI } from "./person.js";
import { showNumbers, showSlowest, showTables, showVerdict } from "./tables.js";
import { showWorkers } from "./workers.js";

const state = {};
const charts = new Charts();
let boot = null;
let built = "";
let columns = [];

takeTokenFromAddress();
whoAmI().then((me) => {
  showPerson(me);
  allow(me);
}, () => {});
startLogs();
showTheme();

follow({
  onHello(hello) {
    columns = hello.columns;
    useRegions(hello.regions);
    setText(byId("site"), hello.site || "Fanfold");
    if (boot !== hello.boot) {
      // A core that restarted has a new history.
      charts.points = [];
      charts.load(columns);
      setTimeout(showSlowest, 500);
    }
    boot = hello.boot;
    // Another group has other cameras; what an operator types meanwhile stays.
    const offered = JSON.stringify([hello.boot, hello.cameras, hello.actions, hello.site]);
    if (offered !== built) buildActions(hello);
    showLogNames();
    built = offered;
  },
  onState(change) {
    const { points = [], t, ...sections } = change;
    Object.assign(state, sections);
    charts.append(points);
    if (!document.hidden) show(new Set(Object.keys(sections)), t);
  },
  onLink(link, last) {
    const labels = { live: "live", stale: "no update", lost: "core unreachable, retrying" };
    const age = last ? ` since ${duration((Date.now() - last) / 1000)}` : "";
    setText(byId("live"), labels[link] + age);
    setClass(byId("live"), `live ${link === "live" ? "ok" : "bad"}`);
    // What is on the page was true; nobody may take it for what is.
    document.body.classList.toggle("gone", link !== "live");
    showVerdict(link === "live" ? state.verdict : null);
    const word = link === "live" ? state.verdict?.state : "unknown";
    document.title = [word === "ok" ? "" : word, byId("site").textContent].filter(Boolean).join(" · ");
  },
});

function show(changed, now) {
  showNumbers(state, charts);
  if (changed.has("verdict")) showVerdict(state.verdict);
  if (changed.has("workers")) showWorkers(state.workers, { restart, drain, log: openLog });
  if (changed.has("cameras")) showCameras(state.cameras);
  if (changed.has("canary")) showCanary();
  if (changed.has("images")) showImages(state.images);
  showTables(state, changed, now);
}

// Few sites compare two models, and the others do not fetch how that is shown.
async function showCanary() {
  byId("canary-section").hidden = !state.canary?.state;
  if (!state.canary?.state) return;
  try {
    (await import("./later/canary.js")).showCanary(state.canary);
  } catch {
    // The core ended meanwhile, or a proxy refused: what it is, without what was compared.
    setText(byId("canary-state"), state.canary.state);
    setText(byId("canary-reason"), "How the models compare is not there: the script for it could not be fetched; reload this page.");
  }
}

document.addEventListener("visibilitychange", () => {
  if (!document.hidden && state.core) {
    show(new Set(Object.keys(state)), Date.now() / 1000);
    if (charts.plots.length) charts.draw();
  }
});

setInterval(() => charts.span === "6h" && !document.hidden && charts.load(columns), 60000);
byId("slowest-refresh").addEventListener("click", showSlowest);

function choose(attribute, apply) {
  for (const button of document.querySelectorAll(`[data-${attribute}]`)) {
    button.addEventListener("click", () => {
      for (const other of button.parentNode.children) other.setAttribute("aria-pressed", other === button);
      apply(button.dataset[attribute]);
    });
  }
}

choose("span", (span) => {
  charts.span = span;
  charts.points = [];
  setText(byId("span-name"), span === "6h" ? "6 hours" : "10 minutes");
  charts.load(columns);
});
choose("quantile", (quantile) => {
  charts.quantile = quantile;
  charts.draw();
});

byId("theme").addEventListener("click", () => {
  const order = ["", "dark", "light"];
  const theme = order[(order.indexOf(document.documentElement.dataset.theme ?? "") + 1) % 3];
  localStorage.setItem("fanfold-theme", theme);
  showTheme(theme);
  if (charts.plots.length) charts.build();
});
