// What an operator may send, follow and drain; fetched only where somebody may.

import { act, button, field, form, notify } from "../actions.js";
import { el } from "../dom.js";
import { Follower } from "../jsonl.js";
import { post } from "../person.js";

const MAX_BYTES = 131072;
const LINES = 200;

export const forms = { "test-image": testImage, publish, follow: followTopic, drain: drainAll };

function testImage(hello) {
  const submit = async (f) => {
    const image = await small(f.file.files[0] ?? (await testPicture()));
    act(`test-image?camera=${encodeURIComponent(f.camera.value)}`, image);
  };
  const cameras = hello.cameras.map((c) => el("option", {}, c));
  return form("Send a test image", submit, field("Camera", { name: "camera" }, "select", ...cameras),
    field("Image (default: a generated test picture)", { name: "file", type: "file", accept: "image/*" }), button("Send"));
}

function publish(hello) {
  const submit = (f) => act("publish", { topic: f.topic.value, payload: f.payload.value });
  return form("Publish a message", submit, field("Topic", { name: "topic", required: true, value: hello.site ? `${hello.site}/images/${hello.cameras[0] ?? ""}` : "" }),
    field("Payload", { name: "payload", required: true }, "textarea", '{"v":1,"file":""}'), button("Publish"));
}

function drainAll() {
  const button = (name, text, on) => el("button", { type: "button", name, onclick: () => act("drain", { on }) }, text);
  return form("Drain all workers", () => {}, el("p", { class: "small dim" }, "They finish their work and get no new work. Images are accepted and queued. To drain one worker, use its card."),
    el("div", { class: "row" }, button("drain-all", "Drain all", true), button("resume-all", "Resume all", false)));
}

function followTopic(hello) {
  const lines = el("pre", { class: "lines mono" });
  const button = el("button", {}, "Follow");
  const follower = new Follower(button);
  const ask = (filter) => (signal) => post("/api/actions/follow", { filter }, signal);
  const submit = (f) => follower.toggle(ask(f.filter.value), (m) => show(lines, m), (problem) => notify(problem, false));
  return form("Follow a topic", submit, field("Topic filter", { name: "filter", required: true, value: hello.site ? `${hello.site}/results/+` : "#" }), el("div", { class: "row" }, button), lines);
}

function show(lines, m) {
  const time = new Date(m.t * 1000).toLocaleTimeString([], { hour12: false });
  lines.prepend(el("div", {}, `${time} ${m.topic} ${m.payload?.slice(0, 400) ?? `(${m.bytes} bytes, binary)`}`));
  while (lines.childElementCount > LINES) lines.lastChild.remove();
}

async function testPicture() {
  const canvas = new OffscreenCanvas(320, 240);
  const pen = canvas.getContext("2d");
  ["#c0c0c0", "#c0c000", "#00c0c0", "#00c000", "#c000c0", "#c00000", "#0000c0"].forEach((fill, i) => {
    pen.fillStyle = fill;
    pen.fillRect((i * 320) / 7, 0, 46, 240);
  });
  pen.fillStyle = "#fff";
  pen.font = "24px sans-serif";
  pen.fillText(new Date().toISOString(), 8, 228);
  return canvas.convertToBlob({ type: "image/jpeg", quality: 0.9 });
}

// The message limit is 128 KB: a larger picture is made smaller here.
async function small(image) {
  if (image.size <= MAX_BYTES && image.type === "image/jpeg") return image;
  const bitmap = await createImageBitmap(image);
  for (let side = 1024; side >= 128; side /= 2) {
    const factor = Math.min(1, side / Math.max(bitmap.width, bitmap.height));
    const canvas = new OffscreenCanvas(Math.max(1, bitmap.width * factor), Math.max(1, bitmap.height * factor));
    canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    const blob = await canvas.convertToBlob({ type: "image/jpeg", quality: 0.85 });
    if (blob.size <= MAX_BYTES) return blob;
  }
  return image;
}
