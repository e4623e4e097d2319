// The latest images with their results drawn on them, and one image's trace.

import { byId, el, keyed, svg } from "./dom.js";
import { clock, ms, percent } from "./format.js";
import { hidden } from "./outline.js";

const CAN_HOVER = matchMedia("(hover: hover)");
let regions = {};
const clamp = (x) => Math.min(1, Math.max(0, x));

// By camera, as deployed.
export function useRegions(given = {}) {
  regions = given;
}

export function showImages(images) {
  const node = byId("images");
  if (!images.length) {
    node.replaceChildren(el("p", { class: "empty" }, "No results yet."));
    return;
  }
  node.querySelector("p.empty")?.remove();
  // What is under the pointer must be what the click gets.
  if (node.matches(":hover") && CAN_HOVER.matches) return;
  keyed(node, images, (i) => `${i.stream}#${i.seq}`, makeImage);
}

function makeImage(image) {
  return el("button", { class: "image card", type: "button", onclick: () => openTrace(image.stream, image.seq, image) },
    el("div", { class: "stage" }, picture(image)),
    el("div", { class: "caption" }, outcome(image),
      el("div", { class: "small dim clip" }, `${image.stream} #${image.seq}, ${image.name}`)));
}

function outcome(image) {
  if (image.status !== "ok") {
    return el("div", { class: "bad clip" }, `${image.status}: ${image.reason || "no reason given"}`);
  }
  if (image.boxes.length) {
    const best = image.boxes.reduce((a, b) => (b.score > a.score ? b : a));
    return el("div", { class: "clip" }, `${image.boxes.length} found, ${best.label} ${percent(best.score)}`);
  }
  const top = image.top[0];
  return el("div", { class: "clip" }, top ? `${top.label} ` : "nothing found", top ? el("span", { class: "dim" }, percent(top.score)) : null);
}

function picture(image, large = false) {
  if (image.reason === "not_an_image" || image.reason === "not_found") return el("span", {}, "no picture");
  const source = `/api/image/${encodeURIComponent(image.stream)}/${image.seq}${large ? "?large" : ""}`;
  const frame = el("div", { class: "frame" });
  const img = el("img", { src: source, alt: image.id, decoding: "async", onerror: () => frame.replaceWith("no picture") });
  frame.append(img, ...overlay(image.boxes, large ? image.boxes.length : 1, regions[image.stream]));
  return frame;
}

// In a small picture only the surest box is named: tags hide what they name.
function overlay(boxes, named, unseen) {
  if (!boxes.length && !unseen) return [];
  const drawing = svg("svg", { viewBox: "0 0 1 1", preserveAspectRatio: "none", "aria-hidden": "true" });
  drawing.append(...hidden(unseen));
  const tags = [];
  for (const { label, score, box } of [...boxes].sort((a, b) => b.score - a.score)) {
    const [x0, y0, x1, y1] = box.map(clamp);
    drawing.append(svg("rect", { x: x0, y: y0, width: Math.max(0, x1 - x0), height: Math.max(0, y1 - y0) }));
    if (tags.length >= named) continue;
    const tag = el("span", { class: y0 < 0.1 ? "tag inside" : "tag" }, `${label} ${percent(score)}`);
    tag.style.left = `${x0 * 100}%`;
    tag.style.top = `${y0 * 100}%`;
    tags.push(tag);
  }
  return [drawing, ...tags];
}

export async function openTrace(stream, seq, image) {
  const dialog = byId("trace");
  byId("trace-title").textContent = `${stream} #${seq}`;
  const body = byId("trace-body");
  body.replaceChildren(el("p", { class: "dim" }, "Loading…"));
  if (!dialog.open) dialog.showModal();
  const answer = await fetch(`/api/trace/${encodeURIComponent(stream)}/${seq}`);
  const trace = await answer.json();
  body.replaceChildren(image ? el("div", { class: "stage" }, picture(image, true)) : "", ...details(image),
    answer.ok ? spans(trace) : el("p", { class: "dim" }, trace.message));
}

function details(image) {
  if (!image) return [];
  const found = [...image.top, ...image.boxes].slice(0, 5).map((x) => `${x.label} ${percent(x.score)}`).join(", ");
  const why = image.detail ? `${image.reason}: ${image.detail}` : image.reason;
  return [el("p", { class: "small" }, image.status === "ok" ? found : why, " ", el("span", { class: "dim" }, `${image.name}, ${image.model}, ${image.worker}`))];
}

// One bar per stage, each beginning where the one before ended: together they are the total.
function spans(trace) {
  const node = el("div", { class: "spans" });
  const scale = Math.max(trace.total_ms, 0.001);
  let start = 0;
  for (const { stage, ms: took } of trace.stages) {
    const bar = svg("svg", { viewBox: "0 0 100 10", preserveAspectRatio: "none" },
      svg("rect", { class: "track", x: 0, y: 4, width: 100, height: 2 }),
      svg("rect", { class: "fill", x: clamp(start / scale) * 100, y: 1, width: Math.max(0.3, clamp(took / scale) * 100), height: 8 }));
    node.append(el("span", {}, stage), bar, el("span", { class: "num" }, ms(took)));
    start += took;
  }
  const end = trace.reached_cloud ? "publish to cloud" : "publish to ordered result";
  node.append(el("span", { class: "total" }, "total"), el("span", { class: "dim" }, `${end}, from ${clock(trace.t_start)}`), el("span", { class: "num total" }, ms(trace.total_ms)));
  return node;
}
