// Numbers as an operator reads them: few digits, the unit always there.

// Made once: toLocaleString makes one for every cell of every state.
const WHOLE = new Intl.NumberFormat("en");

export function count(n) {
  if (n == null) return "–";
  return Math.abs(n) < 100000 ? WHOLE.format(n) : `${(n / 1000).toFixed(0)}k`;
}

export function rate(n) {
  if (n == null) return "–";
  return n >= 100 ? n.toFixed(0) : n.toFixed(1);
}

export function ms(n) {
  if (n == null) return "–";
  if (Math.abs(n) >= 10000) return `${(n / 1000).toFixed(1)} s`;
  return `${Math.abs(n) >= 100 ? n.toFixed(0) : n.toFixed(1)} ms`;
}

export function bytes(n) {
  if (n == null) return "–";
  for (const unit of ["B", "KB", "MB", "GB"]) {
    if (n < 1024) return `${n < 10 && unit !== "B" ? n.toFixed(1) : n.toFixed(0)} ${unit}`;
    n /= 1024;
  }
  return `${n.toFixed(1)} TB`;
}

export function duration(s) {
  if (s == null) return "–";
  if (s < 60) return `${Math.max(0, s).toFixed(0)} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

export const ago = (t, now) => (t ? `${duration(now - t)} ago` : "never");

export function clock(t) {
  return t ? new Date(t * 1000).toLocaleString([], { dateStyle: "short", timeStyle: "medium" }) : "–";
}

export const percent = (x) => `${(x * 100).toFixed(0)} %`;
