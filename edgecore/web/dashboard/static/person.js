// Who looks and may do what. On loopback: the core's token, kept for this tab only.

import { byId, el } from "./dom.js";

const KEY = "fanfold-token";

export const token = () => sessionStorage.getItem(KEY) ?? "";
export const keepToken = (given) => sessionStorage.setItem(KEY, given);
export const forgetToken = () => sessionStorage.removeItem(KEY);

// The core prints http://…/#token=…: a fragment is never sent to a server or written to a log.
export function takeTokenFromAddress() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (!given) return;
  keepToken(given);
  history.replaceState(null, "", location.pathname + location.search);
}

const headers = () => (token() ? { "x-fanfold-token": token() } : {});

export function post(path, body, signal) {
  return fetch(path, { method: "POST", body: body instanceof Blob ? body : JSON.stringify(body), headers: headers(), signal });
}

export const get = (path) => fetch(path, { headers: headers() });

export function signIn() {
  location.replace(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
}

// {name, role, signs_in, acts}; null where there is none, and the way to the log-in then.
export async function whoAmI() {
  const response = await get("/api/me");
  if (response.status === 401) {
    signIn();
    return null;
  }
  return response.ok ? response.json() : null;
}

export function showPerson(me) {
  if (!me?.signs_in) return;
  byId("person").replaceChildren(el("a", { href: "/people", title: "Account, users, audit log" }, `${me.name} (${me.role})`));
}
