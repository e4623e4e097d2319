// One log at a time, newest line first; text that is not ours is shown as it is.

import { byId, el, setText } from "./dom.js";
import { Follower } from "./jsonl.js";

const LINES = 300;
const TONES = { ERROR: "bad", CRITICAL: "bad", WARNING: "warn" };
const HEAD = new Set(["t", "level", "logger", "message", "traceback"]);
let follower = null;

export function startLogs() {
  follower = new Follower(byId("logs-follow"));
  byId("logs-form").addEventListener("submit", (event) => {
    event.preventDefault();
    toggle();
  });
  byId("logs-name").addEventListener("change", () => {
    if (!follower.reading) return;
    follower.stop();
    toggle();
  });
  byId("logs-filter").addEventListener("input", () => byId("logs-lines").childNodes.forEach(filter));
}

export async function showLogNames() {
  const { logs } = await (await fetch("/api/logs")).json();
  const select = byId("logs-name");
  const chosen = select.value;
  select.replaceChildren(...logs.map((name) => el("option", {}, name)));
  if (logs.includes(chosen)) select.value = chosen;
  byId("log-section").hidden = !logs.length;
}

export async function openLog(name) {
  await showLogNames();
  byId("logs-name").value = name;
  follower.stop();
  byId("log-section").scrollIntoView();
  toggle();
}

function toggle() {
  const lines = byId("logs-lines");
  const name = byId("logs-name").value;
  if (!follower.reading) lines.replaceChildren();
  lines.hidden = false;
  setText(byId("logs-note"), "");
  follower.toggle((signal) => fetch(`/api/logs/${encodeURIComponent(name)}?lines=100`, { signal }), (entry) => add(lines, entry.line), (problem) => setText(byId("logs-note"), problem));
}

function add(lines, text) {
  const node = makeLine(text);
  filter(node);
  lines.prepend(node);
  while (lines.childElementCount > LINES) lines.lastChild.remove();
}

function makeLine(text) {
  let entry = null;
  try {
    entry = JSON.parse(text);
  } catch {
    // not a line of ours
  }
  if (typeof entry?.message !== "string") return el("div", {}, text);
  const time = new Date(entry.t * 1000).toLocaleTimeString([], { hour12: false });
  const more = Object.entries(entry).filter(([key]) => !HEAD.has(key)).map(([key, value]) => `${key}=${value}`).join(" ");
  return el("div", { class: TONES[entry.level] ?? "" }, `${time} ${entry.level} ${entry.message} `, el("span", { class: "dim" }, more), entry.traceback ? `\n${entry.traceback}` : "");
}

function filter(node) {
  const wanted = byId("logs-filter").value.trim();
  node.hidden = wanted !== "" && !node.textContent.includes(wanted);
}
