// One's own account; for an admin also users and the audit log. What others wrote is only ever text.

import { byId, el, setText, showTheme, table, visible } from "../dom.js";
import { get, post, showPerson, signIn, takeTokenFromAddress, whoAmI } from "../person.js";

takeTokenFromAddress();
showTheme();

const when = (t) => new Date(t * 1000).toLocaleString([], { dateStyle: "short", timeStyle: "medium" });

function say(text, ok) {
  setText(byId("answer"), text);
  byId("answer").className = `answer ${ok ? "ok" : "bad"}`;
  byId("answer").hidden = false;
}

async function act(path, body) {
  try {
    const response = await post(path, body);
    const answer = await response.json();
    say(answer.message, response.ok);
    return response.ok;
  } catch {
    say("The core does not answer.", false);
    return false;
  }
}

const one = (user, verb = "") => `/api/users/${encodeURIComponent(user.name)}${verb}`;
const button = (text, onclick) => el("button", { class: "quiet", type: "button", onclick }, text);

function role(user) {
  const options = ["viewer", "operator", "admin"].map((r) => el("option", { selected: r === user.role }, r));
  return el("select", { "aria-label": `Role of ${user.name}`, onchange: async (e) => { await act(one(user), { role: e.target.value }); load(); } }, ...options);
}

function buttons(user) {
  const set = () => {
    const password = prompt(`New password of ${user.name} (at least 12 characters)`);
    if (password) act(one(user), { password }).then(load);
  };
  const remove = () => confirm(`Remove ${user.name}?`) && act(one(user, "/remove"), {}).then(load);
  return el("span", { class: "row" }, button("Set password", set), button("Sign out", () => act(one(user, "/sign-out"), {}).then(load)), button("Remove", remove));
}

const count = (user, kind) => user.sessions.filter((s) => s.kind === kind).length;
const about = (a) => [...Object.entries(a.detail ?? {}).map(([k, v]) => `${k}=${typeof v === "string" ? v : JSON.stringify(v)}`), a.result === "done" ? "" : a.said].filter(Boolean).join(" ");
const TONES = { done: "ok", failed: "warn", refused: "bad" };

async function load() {
  const [users, audit] = await Promise.all([get("/api/users"), get("/api/audit")]);
  if (!users.ok || !audit.ok) return setText(byId("why"), (await users.json()).message);
  table(byId("users"), [["User", (u) => u.name], ["Role", role], ["Signs in by", (u) => (u.password ? "password" : "proxy")],
    ["Browsers", (u) => count(u, "browser"), "num"], ["Tokens", (u) => count(u, "token"), "num"], ["", buttons]],
  (await users.json()).users, (u) => u.name, "No users yet: nobody can sign in over the network.");
  table(byId("acts"), [["Time", (a) => when(a.t)], ["Who", (a) => visible(a.who || "–")], ["Role", (a) => a.role || "–"], ["From", (a) => visible(a.from)], ["What", (a) => visible(a.what)],
    ["Result", (a) => el("span", { class: TONES[a.result] ?? "" }, a.result)], ["", (a) => visible(about(a))]],
  (await audit.json()).acts, (a) => `${a.t} ${a.who} ${a.what} ${a.result}`, "Nothing was done yet.");
}

byId("add").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (await act("/api/users", Object.fromEntries(new FormData(event.target)))) event.target.reset();
  load();
});
byId("password").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (await act("/api/me/password", Object.fromEntries(new FormData(event.target)))) setTimeout(signIn, 1500);
});
byId("sign-out").addEventListener("click", async () => {
  await post("/api/logout", {});
  location.replace("/login");
});
byId("refresh").addEventListener("click", load);

const me = await whoAmI();
if (me) {
  showPerson(me);
  byId("sign-out").hidden = byId("own").hidden = me.by !== "session";
  for (const id of ["admin", "audit"]) byId(id).hidden = me.role !== "admin";
  byId("why").hidden = me.role === "admin";
  setText(byId("why"), me.signs_in ? `Users and the audit log are for admins; you are ${me.role}.` : "Users and the audit log need the core's token: open the address that fanfold run prints, then this page.");
  if (me.role === "admin") load();
}
