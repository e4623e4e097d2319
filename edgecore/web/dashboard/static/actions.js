// What may be done here: by the core's token on loopback, by one's role where people sign in.

import { byId, el, setText } from "./dom.js";
import { forgetToken, keepToken, post, signIn, token, whoAmI } from "./person.js";

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
export function notify(text, ok) {
  const node = byId("actions-answer");
  setText(node, text);
  node.className = `answer ${ok ? "ok" : "bad"}`;
  node.hidden = false;
  clearTimeout(fading);
  fading = setTimeout(() => { node.hidden = true; }, NOTICE_MS);
}

export async function act(name, body) {
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

const FORMS = ["test-image", "publish", "follow", "drain"];
let builds = 0;

// Who only looks does not fetch them. Null: the core ended meanwhile, or a proxy refused.
async function laterForms() {
  try {
    return (await import("./later/forms.js")).forms;
  } catch {
    return null;
  }
}

export async function buildActions(hello) {
  offered = hello;
  const build = ++builds;
  const node = byId("actions");
  node.hidden = false;
  for (const name of ["restart", "drain"]) document.body.classList.toggle(`can-${name}`, may(name));
  const names = FORMS.filter(may);
  const forms = names.length ? await laterForms() : {};
  if (build !== builds) return; // another group, or another person, meanwhile
  const shown = forms ? names.map((name) => forms[name](hello)) : [];
  if (!hello.read_only && !me?.signs_in && !token()) shown.push(unlock(hello));
  const why = hello.read_only ? "disabled: this core is read-only" : me?.signs_in && !shown.length ? `none for you: ${me.name} is ${me.role}` : "";
  setText(byId("actions-note"), forms ? why : "not there: their script could not be fetched; reload this page");
  byId("actions-body").hidden = !shown.length;
  byId("actions-body").replaceChildren(...shown);
}

export function form(title, submit, ...children) {
  return el("form", { onsubmit: (event) => { event.preventDefault(); submit(event.target); } }, el("h3", {}, title), ...children);
}

export function field(label, attributes, tag = "input", ...children) {
  return el("label", {}, label, el(tag, { spellcheck: "false", autocomplete: "off", ...attributes }, ...children));
}

export const button = (text) => el("div", { class: "row" }, el("button", {}, text));

function unlock(hello) {
  const submit = (f) => {
    keepToken(f.token.value.trim());
    buildActions(hello);
  };
  return form("Unlock", submit, field("Token (in the core's core.json and in the address that fanfold run prints)", { name: "token", type: "password", required: true }), button("Unlock"));
}
