// The history page: a search, its table, counts and events. What others wrote is only ever text.

import { byId, el, setText, showTheme, table, visible } from "../dom.js";
import { bytes as size, clock, count, ms } from "../format.js";
import { showPerson, signIn, takeTokenFromAddress, whoAmI } from "../person.js";
import { startAlerts } from "./alerts.js";

const form = byId("search");
let records = [];
let next = null;
let by = "camera";

function query() {
  const given = new URLSearchParams();
  for (const [name, value] of new FormData(form)) if (value.trim()) given.set(name, value.trim());
  return given;
}

async function ask(path, given) {
  const response = await fetch(`${path}?${given}`);
  const answer = await response.json();
  if (response.status === 401) signIn();
  if (!response.ok) throw new Error(answer.message);
  return answer;
}

async function guarded(work) {
  byId("problem").hidden = true;
  setText(byId("state"), "searching…");
  try {
    await work();
    setText(byId("state"), "");
  } catch (error) {
    setText(byId("problem"), error instanceof TypeError ? "The core does not answer." : error.message);
    byId("problem").hidden = false;
    setText(byId("state"), "");
  }
}

const percent = (x) => (x == null ? "–" : `${(x * 100).toFixed(2)} %`);
const labelsOf = (r) => r.labels.map((x) => visible(x.label) + (x.score == null ? "" : ` ${x.score.toFixed(3)}`) + (x.count > 1 ? ` ×${x.count}` : "")).join(", ");

function status(r) {
  const kind = r.status !== "ok" ? "bad" : r.defect ? "warn" : "ok";
  return el("span", { class: kind }, r.defect ? "defect" : r.status);
}

function name(r) {
  const title = `${visible(r.folder)}/${visible(r.name)}\n${visible(r.id)}`;
  if (r.status !== "failed" && !r.sample) return el("span", { title }, visible(r.name));
  return el("button", { class: "link", type: "button", title, onclick: () => showPicture(r) }, visible(r.name));
}

const COLUMNS = [
  ["Time", (r) => clock(r.t)],
  ["Camera", (r) => `${visible(r.camera)} #${r.seq}`],
  ["Name", name],
  ["Status", status],
  ["Found, or why not", (r) => (r.status === "ok" ? labelsOf(r) : visible(`${r.reason}${r.detail ? `: ${r.detail}` : ""}`))],
  ["Job", (r) => visible(r.job)],
  ["Worker", (r) => visible(r.worker)],
  ["Model", (r) => visible(r.model)],
  ["Took", (r) => ms(r.ms), "num"],
];

function showPicture(r) {
  const about = r.sample ? `kept by ${visible(r.sample)}` : visible(r.reason);
  setText(byId("picture-title"), `${visible(r.name)}: ${about}`);
  const source = `/api/history/${r.sample ? "sample" : "picture"}/${r.number}`;
  const image = el("img", { src: source, alt: "" });
  image.addEventListener("error", () => image.replaceWith(el("p", { class: "dim" }, r.sample ? "A browser cannot show it, or it has gone with the oldest." : "No picture was kept: it could not be read, or its file was gone.")));
  const words = r.sample ? labelsOf(r) : visible(r.detail);
  const file = r.sample ? el("p", {}, el("a", { href: source, download: visible(r.name) }, "Download")) : "";
  byId("picture-body").replaceChildren(el("p", {}, words), image, file);
  byId("picture").showModal();
}

async function search(older) {
  const given = query();
  for (const [id, kind] of [["csv", "csv"], ["jsonl", "jsonl"]]) byId(id).href = `/api/history/records.${kind}?${given}`;
  history.replaceState(null, "", given.size ? `?${given}` : location.pathname);
  if (older && next) given.set("before", next);
  await guarded(async () => {
    const answer = await ask("/api/history/records", given);
    records = older ? [...records, ...answer.records] : answer.records;
    next = answer.next;
    table(byId("records"), COLUMNS, records, (r) => r.number, "Nothing found.");
    byId("more").hidden = !next;
    const to = answer.searched_to;
    setText(byId("found"), to ? `${count(records.length)} so far: looked back to ${clock(to)}, which took as long as a search may` : `${count(records.length)}${next ? " newest, there are older ones" : ""}`);
    setText(byId("more"), to ? "Look further back" : "Older");
  });
  if (!older) await Promise.all([showCounts(), showEvents(), showSamples()]);
}

// What the site file's history: samples keeps, and what it left out.
async function showSamples() {
  await guarded(async () => {
    const { samples, samples_bytes: bytes } = (await ask("/api/status", new URLSearchParams())).history ?? {};
    if (!samples?.rules.length) return;
    const why = Object.entries(samples.left_out_by_reason).map(([reason, n]) => `${visible(reason)} ${count(n)}`).join(", ");
    setText(byId("samples"), `kept whole since the start: ${count(samples.kept)}${bytes == null ? "" : `, ${size(bytes)} of ${size(samples.quota_bytes)}`}; left out: ${count(samples.left_out)}${why ? ` (${why})` : ""}`);
  });
}

function period() {
  const given = query();
  const asked = new URLSearchParams({ by });
  for (const name of ["since", "until", "camera"]) if (given.has(name)) asked.set(name, given.get(name));
  return asked;
}

async function showCounts() {
  const asked = period();
  byId("counts-csv").href = `/api/history/counts.csv?${asked}`;
  await guarded(async () => {
    const [answer, labels] = await Promise.all([ask("/api/history/counts", asked), ask("/api/history/labels", asked)]);
    const since = asked.get("since") ? `since ${asked.get("since")}` : "last 24 h";
    setText(byId("counts-note"), `${since}; defects: ${answer.defects.map(visible).join(", ") || "“anomalous” (the site file's history: defects names others)"}`);
    const rows = [...answer.counts].reverse();
    const columns = [["Period", (r) => r.period || "all"], ["Camera", (r) => visible(r.camera)], ["Images", (r) => count(r.images), "num"],
      ["Failed", (r) => count(r.failed), "num"], ["Defects", (r) => count(r.defects), "num"], ["Defect rate", (r) => percent(r.defect_rate), "num"]];
    table(byId("counts"), columns, rows, (r) => `${r.period} ${r.camera}`, "Nothing was inspected in this time.");
    table(byId("label-counts"), [["Label", (r) => visible(r.label)], ["Camera", (r) => visible(r.camera)], ["Images", (r) => count(r.images), "num"]],
      labels.labels, (r) => `${r.camera} ${r.label}`, "No labels in this time.");
    suggest("cameras", answer.counts.map((r) => r.camera));
    suggest("labels", labels.labels.map((r) => r.label));
  });
}

function suggest(id, values) {
  byId(id).replaceChildren(...[...new Set(values)].slice(0, 200).map((value) => el("option", { value })));
}

async function showEvents() {
  await guarded(async () => {
    const answer = await ask("/api/history/events", new URLSearchParams());
    const text = (e) => visible(e.text) + (e.who ? ` (${visible(e.who)})` : "");
    table(byId("events"), [["Time", (e) => clock(e.t)], ["What", (e) => visible(e.kind)], ["Subject", (e) => visible(e.subject)], ["", text]],
      answer.events, (e) => e.id, "Nothing has happened yet.");
  });
}

for (const button of document.querySelectorAll("[data-by]")) {
  button.addEventListener("click", () => {
    for (const other of button.parentNode.children) other.setAttribute("aria-pressed", other === button);
    by = button.dataset.by;
    showCounts();
  });
}
form.addEventListener("submit", (event) => { event.preventDefault(); search(false); });
byId("more").addEventListener("click", () => search(true));

takeTokenFromAddress();

showTheme();
for (const [name, value] of new URLSearchParams(location.search)) if (form.elements[name]) form.elements[name].value = value;
search(false);
whoAmI().then((me) => {
  showPerson(me);
  // On loopback the answer to a click says that the token is missing.
  startAlerts((name) => !me?.signs_in || me.acts.includes(name), visible);
}, () => {});
