// The log-in. Where to go next is a path of this core, never another address.

import { byId, setText, showTheme } from "../dom.js";

showTheme();

const asked = new URL(new URLSearchParams(location.search).get("next") ?? "/", location.origin);
const next = asked.origin === location.origin && asked.pathname !== "/login" ? asked.pathname + asked.search : "/";
const form = byId("login");

function problem(text) {
  setText(byId("problem"), text);
  byId("problem").hidden = !text;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  problem("");
  const button = form.querySelector("button");
  button.disabled = true;
  try {
    const body = JSON.stringify({ name: form.elements.name.value.trim(), password: form.elements.password.value });
    const response = await fetch("/api/login", { method: "POST", body });
    const answer = await response.json();
    if (response.ok) return location.replace(next);
    problem(answer.message);
    form.elements.password.select();
  } catch {
    problem("The core does not answer.");
  } finally {
    button.disabled = false;
  }
});

// Who came by a link of another page has a session that the browser kept back for that one request.
const me = await fetch("/api/me");
if (me.ok && (await me.json()).name) location.replace(next);
