// Everything that is a number, a row or a fact.

import { byId, el, facts, keyed, setClass, setText, table } from "./dom.js";
import { ago, bytes, clock, count, duration, ms, rate } from "./format.js";
import { openTrace } from "./images.js";
import { tone } from "./workers.js";

const pill = (state) => el("span", { class: `pill ${tone(state)}` }, (state ?? "unknown").replace("_", " "));

export function showNumbers(state, charts) {
  const { splitter = {}, aggregator = {}, cloud = {}, workers = [] } = state;
  const held = charts.latest("held");
  const rows = [
    ["Throughput", rate(charts.latest("ok")), "images/s"],
    ["Latency, median", ms(charts.latest("total_p50"))],
    ["Latency, p99", ms(charts.latest("total_p99"))],
    ["Backlog", count(splitter.backlog), "", splitter.backlog > 1000 && "warn"],
    ["In flight", count(splitter.inflight), `of ${workers.length} workers`],
    ["Reorder buffer", count(held), "", held > 100 && "warn"],
    ["Gaps", count(aggregator.gaps), "", aggregator.gaps > 0 && "warn"],
    ["Failed", count(aggregator.failed), "", aggregator.failed > 0 && "warn"],
    ["Cloud backlog", count(cloud.spooled), bytes(cloud.spooled_bytes)],
  ];
  const make = ([name]) => el("div", {}, el("dt", {}, name), el("dd", {}, el("span"), el("small")));
  keyed(byId("numbers"), rows, ([name]) => name, make, (node, [, value, unit, kind]) => {
    setText(node.querySelector("span"), value);
    setText(node.querySelector("small"), unit);
    setClass(node.querySelector("dd"), kind || "");
  });
}

const SHOWN_REASONS = 8;
const TONES = { ok: "ok", degraded: "warn", down: "bad" };

// The core's one verdict (docs/spec/verdict.md), in its own words; null: the core is not heard.
export function showVerdict(verdict) {
  if (!verdict) {
    setText(byId("verdict"), "unknown");
    setClass(byId("verdict"), "pill");
    byId("verdict").title = "The core has not been heard: what is below is old.";
    return;
  }
  const { state, reasons } = verdict;
  const node = byId("problems");
  node.hidden = reasons.length === 0;
  setClass(node, `problems ${TONES[state]}`);
  const shown = reasons.slice(0, SHOWN_REASONS);
  const more = reasons.length - shown.length;
  if (more > 0) shown.push({ code: "more", subject: `and ${more} more`, problem: "", remedy: "", level: "" });
  keyed(node, shown, (r) => r.code + r.subject, makeReason, updateReason);
  setText(byId("verdict"), state);
  setClass(byId("verdict"), `pill ${TONES[state]}`);
  byId("verdict").title = reasons.length ? `${reasons[0].subject} ${reasons[0].problem}` : "Images are inspected; nothing is wrong.";
}

const makeReason = () => el("p", {}, el("strong"), " ", el("span"), " ", el("span", { class: "dim" }));

function updateReason(node, reason) {
  const [subject, problem, remedy] = node.children;
  setText(subject, reason.subject);
  setClass(subject, TONES[reason.level] ?? "");
  setText(problem, reason.problem && `${reason.problem}.`);
  setText(remedy, reason.remedy && `${reason.remedy[0].toUpperCase()}${reason.remedy.slice(1)}.`);
}

const SECTIONS = {
  streams(state, now) {
    const shown = state.streams.length;
    setText(byId("streams-note"), state.streams_total > shown ? `${shown} of ${count(state.streams_total)}: those in the reorder buffer first, then the latest` : "");
    table(byId("streams"), [
      ["stream", (s) => s.name], ["images", (s) => count(s.images), "num"], ["last seq", (s) => count(s.last_seq), "num"],
      ["reorder buffer", (s) => count(s.held), "num"], ["gaps", (s) => count(s.gaps), "num"], ["failed", (s) => count(s.failed), "num"], ["last result", (s) => ago(s.last_t, now), "num"],
    ], state.streams, (s) => s.name, "No results yet.");
  },
  functions(state) {
    const { router = {} } = state;
    setText(byId("functions-note"), `core queue ${count(router.work_items)} of ${count(router.limit)}, refused ${count(router.refused)}`);
    table(byId("functions"), [
      ["function", (f) => f.id], ["state", (f) => pill(f.state)], ["queue", (f) => count(f.queue), "num"], ["oldest", (f) => ms(f.oldest_ms), "num"], ["calls", (f) => count(f.invocations), "num"],
      ["errors", (f) => count(f.errors), "num"], ["restarts", (f) => count(f.restarts), "num"], ["memory", (f) => bytes(f.rss_kb == null ? null : f.rss_kb * 1024), "num"],
    ], state.functions, (f) => f.id, "The group has no functions.");
  },
  jobs(state) {
    table(byId("jobs"), [
      ["job", (j) => j.job], ["images", (j) => count(j.images), "num"], ["ok", (j) => count(j.ok), "num"], ["failed", (j) => count(j.failed), "num"], ["dropped", (j) => count(j.dropped), "num"],
      ["took", (j) => duration(j.ended - j.started), "num"], ["labels", (j) => Object.entries(j.labels ?? {}).slice(0, 3).map(([k, n]) => `${k} ${n}`).join(", ")],
    ], state.jobs, (j) => j.job + j.ended, "No job has ended since the core started.");
  },
  cloud(state, now) {
    const { cloud, aggregator = {} } = state;
    facts(byId("cloud"), [
      ["sink", cloud.sink], ["waiting", `${count(cloud.spooled)} messages, ${bytes(cloud.spooled_bytes)}`], ["sent", count(cloud.sent)],
      ["dropped, spool full", count(cloud.dropped)], ["last sync", ago(cloud.last_sync, now)], ["outbox", `${count(aggregator.outbox_rows)} records, ${count(aggregator.s3_objects)} S3 objects`],
    ]);
  },
  group(state) {
    const { group, core = {} } = state;
    facts(byId("deployment"), [["group", group.name], ["deployment", group.deployment], ["version", group.version], ["applied", clock(group.applied_at)], ["core", `${core.version ?? "–"}, up ${duration(core.uptime_s)}, pid ${core.pid ?? "–"}`]]);
    table(byId("history"), [["deployment", (h) => h.deployment], ["at", (h) => clock(h.t)], ["outcome", (h) => [h.outcome, h.detail].filter(Boolean).join(": ")]],
      [...group.history].reverse(), (h) => JSON.stringify(h), "No deployment since the core started.");
  },
  doctor(state, now) {
    const { t, counts = {}, checks = [], problem } = state.doctor;
    const summary = Object.entries(counts).map(([level, n]) => `${n} ${level}`).join(", ");
    setText(byId("doctor-note"), t ? `${problem ? "checks did not run" : summary}, ${ago(t, now)}` : "");
    const rows = problem ? [{ level: "warning", message: `The checks did not run: ${problem}.` }] : checks;
    keyed(byId("doctor"), rows, (c) => JSON.stringify(c), (c) => el("p", {},
      el("span", { class: c.level === "error" ? "bad" : "warn" }, `${c.level} `), c.message, c.fix ? el("span", { class: "dim" }, ` → ${c.fix}`) : null));
  },
  findings(state) {
    const none = state.doctor?.checks?.length ? "" : "No findings.";
    const rows = state.findings.length ? state.findings : [{ level: "ok", text: none }];
    keyed(byId("findings"), rows, (f) => JSON.stringify(f), (f) => el("p", {},
      el("span", { class: { error: "bad", warning: "warn", ok: "ok" }[f.level ?? f.severity] ?? "" }, f.code ? `${f.code} ` : ""),
      typeof f === "string" ? f : (f.text ?? f.message ?? f.subject ?? ""), f.remedy || f.fix ? el("span", { class: "dim" }, ` ${f.remedy ?? f.fix}`) : null));
  },
  clients(state, now) {
    setText(byId("clients-note"), state.clients_total > state.clients.length ? `${state.clients.length} of ${state.clients_total}` : "");
    table(byId("clients"), [["client", (c) => c.client_id], ["since", (c) => (c.since ? ago(c.since, now) : "–")], ["published", (c) => count(c.published), "num"]], state.clients, (c) => c.client_id, "No device is connected.");
  },
};

let second;

// `changed`: the sections that came with this event; those with an age are shown each second.
export function showTables(state, changed, now) {
  const older = second !== (second = Math.floor(now));
  for (const [name, show] of Object.entries(SECTIONS)) {
    if (changed.has(name) || (older && ["streams", "cloud", "clients", "doctor"].includes(name) && state[name])) show(state, now);
  }
  setText(byId("thing"), state.core?.thing);
}

export async function showSlowest() {
  const { traces } = await (await fetch("/api/traces")).json();
  const link = (t) => el("button", { class: "link", type: "button", onclick: () => openTrace(t.stream, t.seq) }, `${t.stream} #${t.seq}`);
  const worst = (t) => t.stages.reduce((a, b) => (b.ms > a.ms ? b : a), { stage: "–", ms: 0 });
  table(byId("slowest"), [["image", link], ["total", (t) => ms(t.total_ms), "num"], ["mostly", (t) => `${worst(t).stage}, ${ms(worst(t).ms)}`], ["worker", (t) => t.worker]],
    traces, (t) => `${t.stream}#${t.seq}`, "No results yet.");
}
