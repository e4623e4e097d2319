// One card per worker: what it is, what it does now, what went wrong.

import { byId, el, keyed, setClass, setText } from "./dom.js";
import { bytes, count, ms, rate } from "./format.js";

const MANY = 24;

export function tone(state) {
  if (state === "ready" || state === "running") return "ok";
  if (state === "starting" || state === "backoff" || state === "draining" || state === "drained") return "warn";
  return state === "unknown" ? "" : "bad";
}

// A process that does not run counts before what the splitter last heard of it.
const shownState = (w) => (w.process && !["running", "unknown"].includes(w.process) ? w.process : w.state);

export const isDrained = (w) => w.drained;

export function showWorkers(workers, actions) {
  const node = byId("workers");
  node.classList.toggle("many", workers.length > MANY);
  const ready = workers.filter((w) => tone(shownState(w)) === "ok").length;
  setText(byId("workers-note"), workers.length ? `${ready} of ${workers.length} ready` : "none reported yet");
  keyed(node, workers, (w) => w.id, (w) => makeCard(w, actions), updateCard);
}

function makeCard(worker, { restart, drain, log }) {
  const part = (name, kind) => el("span", { class: kind, "data-part": name });
  const button = (name, text, onclick) => el("button", { class: "quiet", type: "button", "data-part": name, onclick }, text);
  const toggle = (event) => drain(worker.id, event.target.dataset.on === "true");
  return el("article", { class: "card worker" },
    el("div", { class: "row" }, el("h3", {}, worker.id), part("device", "chip"), el("span", { class: "spread" }), part("state", "pill")),
    el("div", { class: "row" }, part("rate", "rate"), el("span", { class: "dim small" }, "images/s"), el("span", { class: "spread" }), part("done", "dim small")),
    el("div", { class: "row small detail" }, part("model", "clip"), el("span", { class: "spread" }), button("log", "Log", () => log(worker.id)), button("drain", "Drain", toggle), button("restart", "Restart", () => restart(worker.id))),
    el("div", { class: "clip small dim detail" }, part("now", "")),
    el("div", { class: "clip small dim detail" }, part("numbers", "")),
    el("div", { class: "small bad clip", "data-part": "error" }));
}

function updateCard(card, w) {
  const part = (name) => card.querySelector(`[data-part="${name}"]`);
  const state = shownState(w);
  setClass(card, `card worker ${tone(state)}`);
  setText(part("device"), w.device);
  part("device").title = w.card ?? "";
  setText(part("state"), state.replace("_", " "));
  setClass(part("state"), `pill ${tone(state)}`);
  setText(part("rate"), rate(w.per_s));
  setText(part("done"), `${count(w.done)} done`);
  setText(part("model"), w.model || "no model loaded");
  part("model").title = w.model_sha256 ? `sha256 ${w.model_sha256}…` : "";
  const batch = w.batch?.batch ? `${w.batch.image}${w.batch.images > 1 ? ` and ${w.batch.images - 1} more` : ""}, busy ${ms(w.busy_ms)}` : w.credits == null ? "fed by other functions" : "idle";
  setText(part("now"), batch);
  const memory = w.rss_kb ? `, ${bytes(w.rss_kb * 1024)}` : "";
  setText(part("numbers"), `${w.inflight} in flight, ${w.credits ?? "–"} credits, ${w.restarts} restart${w.restarts === 1 ? "" : "s"}${memory}`);
  setText(part("error"), w.last_error ?? "");
  part("restart").hidden = !document.body.classList.contains("can-restart") || !w.function;
  part("log").hidden = !w.function;
  part("drain").hidden = !document.body.classList.contains("can-drain") || w.credits == null;
  part("drain").dataset.on = !isDrained(w);
  setText(part("drain"), isDrained(w) ? "Resume" : "Drain");
}
