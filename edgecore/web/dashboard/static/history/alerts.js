// Alerts: which are on, acknowledging one, and a test of the ways they are sent.

import { byId, el, setText, table } from "../dom.js";
import { clock } from "../format.js";
import { post } from "../person.js";

const EVERY_MS = 3000;

// `may(name)`: whether who looks may ask for that action.
export function startAlerts(may, visible) {
  async function act(name, body) {
    setText(byId("alerts-answer"), "Asking the core…");
    try {
      const answer = await (await post(`/api/actions/${name}`, body)).json();
      setText(byId("alerts-answer"), answer.message);
    } catch {
      setText(byId("alerts-answer"), "The core does not answer.");
    }
    show();
  }
  const acknowledge = (a) => {
    if (a.state !== "on") return "";
    if (a.acknowledged) return `acknowledged ${clock(a.acknowledged)}`;
    if (!may("acknowledge")) return "";
    return el("button", { class: "quiet", type: "button", onclick: () => act("acknowledge", { alert: a.key }) }, "Acknowledge");
  };
  const COLUMNS = [
    ["Alert", (a) => el("span", { class: a.state === "on" ? "bad" : a.state === "waiting" ? "warn" : "ok" }, visible(a.rule))],
    ["State", (a) => (a.state === "on" ? `on since ${clock(a.since)}${a.unconfirmed ? ", being looked at again" : ""}` : a.state)],
    ["", (a) => visible(a.text)],
    ["", acknowledge],
  ];

  async function show() {
    try {
      const { alerts } = await (await fetch("/api/status")).json();
      byId("alerts-section").hidden = !alerts?.rules;
      if (!alerts?.rules) return;
      table(byId("alerts"), COLUMNS, alerts.alerts, (a) => a.key, alerts.rules === 1 ? "The rule is quiet." : `All ${alerts.rules} rules are quiet.`);
      const ways = alerts.channels.map((c) => `${c.name}: ${c.sent} sent, ${c.waiting} waiting` + (c.dropped ? `, ${c.dropped} dropped` : "") + (c.problem ? ` (${visible(c.problem)})` : ""));
      setText(byId("alerts-note"), ways.join(" · "));
    } catch { /* the search says that the core is away */ }
  }

  byId("alerts-test").hidden = !may("test-alerts");
  byId("alerts-test").addEventListener("click", async ({ target }) => {
    target.disabled = true; // a mail server may take its time
    await act("test-alerts", {});
    target.disabled = false;
  });
  setInterval(() => !document.hidden && show(), EVERY_MS);
  show();
}
