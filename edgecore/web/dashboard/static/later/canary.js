// How a new model compares with the one that serves; shown where a site compares one.

import { byId, facts, setClass, setText, table } from "../dom.js";
import { clock, count, ms } from "../format.js";

const TONES = { passed: "ok", refused: "bad", starting: "warn", comparing: "warn" };

const named = (model) => (model ? `${model.name} ${model.version}` : "not heard yet");
const share = (part, whole) => (whole ? `, ${((100 * part) / whole).toFixed(1)} %` : "");

function speed({ inference_ms: found }) {
  if (!found) return [];
  return ["median", "p99"].map((name) => [`inference, ${name}`, `${ms(found.new[name])}, was ${ms(found.old[name])}`]);
}

function rows(c) {
  const drift = c.score_drift?.count ? [["score drift, mean", `${c.score_drift.mean >= 0 ? "+" : ""}${c.score_drift.mean.toFixed(3)}`]] : [];
  const tasks = Object.entries(c.agreement ?? {}).map(([task, t]) => [task, `${count(t.agreed)} of ${count(t.images)} agree`]);
  return [
    ["compared", `${count(c.compared)} of ${count(c.rule?.images)} images`],
    ["differ", `${count(c.disagreed)}${share(c.disagreed, c.compared)}`],
    ...tasks, ...speed(c), ...drift,
    ["failed by the new model", count(c.failed)], ["began", clock(c.began)], ["ended", clock(c.ended)],
  ];
}

export function showCanary(canary) {
  setText(byId("canary-state"), canary.state);
  setClass(byId("canary-state"), `pill ${TONES[canary.state] ?? ""}`);
  setText(byId("canary-models"), `${named(canary.model)} against ${named(canary.against)}`);
  setText(byId("canary-reason"), canary.reason && `${canary.reason}.`);
  facts(byId("canary"), rows(canary));
  table(byId("canary-flips"), [["old model", (f) => f.old], ["new model", (f) => f.new], ["images", (f) => count(f.count), "num"]],
    canary.flips ?? [], (f) => `${f.old}|${f.new}`, canary.disagreed ? "" : "No image is answered differently.");
}
