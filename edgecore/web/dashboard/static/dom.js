// The little that this page needs of a framework: build, set when changed, patch by key.

// What others wrote is text that obeys nobody: control characters and marks that turn text around
// are shown as their code. Line breaks and tabs stay.
const MARKS = /[\p{Cf}\p{Zl}\p{Zp}]|(?![\n\t])\p{Cc}/gu;
export const visible = (text) => String(text ?? "").replace(MARKS, (c) => `\\u{${c.codePointAt(0).toString(16)}}`);

export const byId = (id) => document.getElementById(id);

export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "class") node.className = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child != null).map((child) => (child instanceof Node ? child : visible(child))));
  return node;
}

export function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

// Writing the same text again would still cost a layout and lose a selection.
export function setText(node, value) {
  const text = visible(value);
  if (node.textContent !== text) node.textContent = text;
}

export function setClass(node, value) {
  if (node.className !== value) node.className = value;
}

// One child per item, in order; nodes are reused by key, which two may share.
export function keyed(parent, items, keyOf, make, update) {
  const old = new Map();
  for (const c of parent.children) old.get(c.dataset.key)?.push(c) ?? old.set(c.dataset.key, [c]);
  let at = parent.firstElementChild;
  for (const item of items) {
    const key = String(keyOf(item));
    let node = old.get(key)?.shift();
    if (!node) {
      node = make(item);
      node.dataset.key = key;
    }
    update?.(node, item);
    if (node === at) at = at.nextElementSibling;
    else parent.insertBefore(node, at);
  }
  [...old.values()].flat().forEach((n) => n.remove());
}

// A table from columns [title, cell(item), class?]; a cell is text or a node.
export function table(node, columns, items, keyOf, empty) {
  if (!node.tHead) {
    const titles = columns.map(([title, , kind]) => el("th", { class: kind ?? "" }, title));
    node.append(el("thead", {}, el("tr", {}, ...titles)), el("tbody"));
  }
  const make = () => el("tr", {}, ...columns.map(([, , kind]) => el("td", { class: kind ?? "" })));
  const update = (row, item) => {
    const before = row.shown ?? [];
    row.shown = columns.map(([, cell], index) => {
      const value = cell(item);
      if (value instanceof Node) row.cells[index].replaceChildren(value);
      else if (value !== before[index]) setText(row.cells[index], value);
      return value;
    });
  };
  node.tHead.hidden = items.length === 0;
  if (items.length) keyed(node.tBodies[0], items, keyOf, make, update);
  else node.tBodies[0].replaceChildren(el("tr", {}, el("td", { class: "empty" }, empty)));
}

export function facts(node, rows) {
  const make = ([name]) => el("div", { class: "fact" }, el("dt", {}, name), el("dd"));
  keyed(node, rows, ([name]) => name, make, (row, [, value]) => setText(row.lastChild, value));
}

// Light or dark as chosen on the dashboard; "" follows the system.
export function showTheme(theme = localStorage.getItem("fanfold-theme") ?? "") {
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
}
