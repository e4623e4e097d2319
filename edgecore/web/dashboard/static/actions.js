// What may be done here: by the core's token on loopback, by one's role where people sign in.

import { byId, el, setText } from "./dom.js";
import { Follower } from "./jsonl.js";
import { forgetToken, keepToken, post, signIn, token, whoAmI } from "./person.js";

const MAX_BYTES = 131072;
const LINES = 200;
let offered = null;
let me = null;

export function allow(person) {
  me = person;
  if (offered) buildActions(offered);
}

const may = (name) => (me?.signs_in ? me.acts.includes(name) : Boolean(token())) && offered.actions.includes(name);

const NOTICE_MS = 10000;
let fading = 0;

// At the foot of the window, wherever the button was that asked.
function notify(text, ok) {
  const node = byId("actions-answer");
  setText(node, text);
  node.className = `answer ${ok ? "ok" : "bad"}`;
  node.hidden = false;
  clearTimeout(fading);
  fading = setTimeout(() => { node.hidden = true; }, NOTICE_MS);
}

async function act(name, body) {
  try {
    const response = await post(`/api/actions/${name}`, body);
    const answer = await response.json();
    notify(answer.message, answer.ok);
    if (response.status === 401) forget();
    else if (response.status === 403) allow(await whoAmI());
  } catch {
    notify("The core does not answer.", false);
  }
}

// A token that the core refuses is another core's, or mistyped: ask again.
function forget() {
  if (me?.signs_in) return signIn();
  forgetToken();
  if (offered) buildActions(offered);
}

export function restart(id) {
  if (confirm(`Restart ${id}? Its images are dispatched again.`)) act("restart", { function: id });
}

export function drain(id, on) {
  act("drain", { on, workers: [id] });
}

export function buildActions(hello) {
  offered = hello;
  const node = byId("actions");
  node.hidden = false;
  for (const name of ["restart", "drain"]) document.body.classList.toggle(`can-${name}`, may(name));
  const forms = { "test-image": testImage, publish, follow: followTopic, drain: drainAll };
  const shown = Object.entries(forms).filter(([name]) => may(name)).map(([, make]) => make(hello));
  if (!hello.read_only && !me?.signs_in && !token()) shown.push(unlock(hello));
  const why = hello.read_only ? "disabled: this core is read-only" : me?.signs_in && !shown.length ? `none for you: ${me.name} is ${me.role}` : "";
  setText(byId("actions-note"), why);
  byId("actions-body").hidden = !shown.length;
  byId("actions-body").replaceChildren(...shown);
}

function form(title, submit, ...children) {
  return el("form", { onsubmit: (event) => { event.preventDefault(); submit(event.target); } }, el("h3", {}, title), ...children);
}

function field(label, attributes, tag = "input", ...children) {
  return el("label", {}, label, el(tag, { spellcheck: "false", autocomplete: "off", ...attributes }, ...children));
}

function unlock(hello) {
  const submit = (f) => {
    keepToken(f.token.value.trim());
    buildActions(hello);
  };
  return form("Unlock", submit, field("Token (in the core's core.json and in the address that fanfold run prints)", { name: "token", type: "password", required: true }), el("div", { class: "row" }, el("button", {}, "Unlock")));
}

function testImage(hello) {
  const submit = async (f) => {
    const image = await small(f.file.files[0] ?? (await testPicture()));
    act(`test-image?camera=${encodeURIComponent(f.camera.value)}`, image);
  };
  const cameras = hello.cameras.map((c) => el("option", {}, c));
  return form("Send a test image", submit, field("Camera", { name: "camera" }, "select", ...cameras),
    field("Image (default: a generated test picture)", { name: "file", type: "file", accept: "image/*" }), el("div", { class: "row" }, el("button", {}, "Send")));
}

function publish(hello) {
  const submit = (f) => act("publish", { topic: f.topic.value, payload: f.payload.value });
  return form("Publish a message", submit, field("Topic", { name: "topic", required: true, value: hello.site ? `${hello.site}/images/${hello.cameras[0] ?? ""}` : "" }),
    field("Payload", { name: "payload", required: true }, "textarea", '{"v":1,"file":""}'), el("div", { class: "row" }, el("button", {}, "Publish")));
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
