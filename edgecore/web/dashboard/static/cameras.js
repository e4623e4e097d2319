// Cameras that the device fetches pictures from; a site without any has no such section.

import { byId, el, table } from "./dom.js";
import { count, duration, rate } from "./format.js";

const TONES = { live: "ok", connecting: "warn", frozen: "warn", away: "bad" };

const state = (c) => {
  const pill = el("span", { class: `pill ${TONES[c.state] ?? ""}` }, c.state ?? "unknown");
  return c.error ? el("span", {}, pill, ` ${c.error}`) : pill;
};

export function showCameras(cameras = []) {
  byId("cameras-section").hidden = cameras.length === 0;
  table(byId("cameras"), [
    ["camera", (c) => c.name], ["state", state], ["source", (c) => c.source], ["picture", (c) => (c.picture ?? []).join("×")],
    ["sends", (c) => `${rate(c.fps_in)}/s`, "num"], ["wanted", (c) => `${rate(c.fps)}/s`, "num"], ["accepted", (c) => count(c.accepted), "num"], ["dropped", (c) => count(c.dropped), "num"],
    ["stalls", (c) => count(c.stalls), "num"], ["reconnects", (c) => count(c.reconnects), "num"], ["newest", (c) => `${duration(c.frame_age_s)} old`, "num"],
  ], cameras, (c) => c.name, "");
}
