// The picture with its polygons: pointers (mouse, pen, finger) and keys become changes of the shapes.

import { el, svg } from "../dom.js";
import { hidden, outline } from "../outline.js";
import { add, insertPoint, movePoint, moveShape, rectangle, removePoint } from "./shapes.js";

const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const step = (event) => STEPS[event.key]?.map((d) => d * (event.shiftKey ? 0.05 : 0.005));
const middle = ([x0, y0], [x1, y1]) => [(x0 + x1) / 2, (y0 + y1) / 2];

export class Editor {
  constructor(canvas, onChange) {
    this.canvas = canvas;
    this.onChange = onChange;
    this.shapes = [];
    this.undone = [];
    this.chosen = -1;
    this.draft = null;
    this.drawing = svg("svg", { viewBox: "0 0 1 1", preserveAspectRatio: "none", "aria-hidden": "true" });
    this.handles = el("div", {});
    canvas.addEventListener("pointerdown", (event) => this.press(event));
    canvas.addEventListener("dblclick", () => this.close());
  }

  picture(node) {
    this.canvas.replaceChildren(node, this.drawing, this.handles);
  }

  load(shapes) {
    Object.assign(this, { shapes, undone: [], chosen: shapes.length ? 0 : -1, draft: null });
    this.show();
  }

  change(shapes, chosen = this.chosen) {
    if (shapes === this.shapes) return;
    this.undone.push(this.shapes);
    this.shapes = shapes;
    this.choose(chosen);
  }

  choose(index) {
    this.chosen = Math.min(index, this.shapes.length - 1);
    this.show();
  }

  undo() {
    if (this.draft) this.draft = this.draft.points.length ? { ...this.draft, points: this.draft.points.slice(0, -1) } : null;
    else if (this.undone.length) this.shapes = this.undone.pop();
    this.choose(this.chosen);
  }

  draw(kind) {
    this.draft = { kind, points: [] };
    this.show();
    // Keys go on from here: Enter closes, or makes a rectangle of nothing.
    this.handles.querySelector("button")?.focus();
  }

  // Enough points: a shape. None: a rectangle, to be pulled into form. Else the drawing goes on.
  close() {
    if (!this.draft) return;
    const { kind, points } = this.draft;
    if (points.length && points.length < 3) return;
    this.draft = null;
    const shapes = add(this.shapes, kind, points.length ? points : rectangle(kind));
    this.change(shapes, kind === "region" ? 0 : shapes.length - 1);
    this.handles.querySelector("button")?.focus();
  }

  at(event) {
    const box = this.canvas.getBoundingClientRect();
    return [(event.clientX - box.x) / box.width, (event.clientY - box.y) / box.height];
  }

  press(event) {
    if (event.button !== 0 || event.target.closest?.("button")) return;
    const [x, y] = this.at(event);
    if (this.draft) {
      event.preventDefault();
      const last = this.draft.points.at(-1);
      // The second press of a double click is the end, not a point.
      if (last && Math.hypot(last[0] - x, last[1] - y) < 0.005) return;
      this.draft.points.push([x, y]);
      this.show();
      return;
    }
    const index = Number(event.target.dataset?.index ?? -1);
    if (index < 0) return;
    event.preventDefault();
    const before = this.shapes;
    this.chosen = index;
    this.drag(event, (at) => moveShape(before, index, at[0] - x, at[1] - y));
  }

  // One gesture is one step back.
  drag(event, shapesAt) {
    const before = this.shapes;
    const target = this.canvas;
    target.setPointerCapture(event.pointerId);
    const move = (e) => { this.shapes = shapesAt(this.at(e)); this.show(false); };
    const end = () => {
      target.removeEventListener("pointermove", move);
      for (const kind of ["pointerup", "pointercancel"]) target.removeEventListener(kind, end);
      const after = this.shapes;
      this.shapes = before;
      if (JSON.stringify(after) === JSON.stringify(before)) this.show();
      else this.change(after);
    };
    target.addEventListener("pointermove", move);
    for (const kind of ["pointerup", "pointercancel"]) target.addEventListener(kind, end);
  }

  show(rebuilt = true) {
    const { shapes, draft, chosen } = this;
    const of = (kind) => shapes.filter((s) => s.kind === kind).map((s) => s.points);
    const outlines = shapes.map(({ kind, points }, index) => {
      const node = outline(points, index === chosen ? `${kind} chosen` : kind);
      node.dataset.index = index;
      return node;
    });
    const line = draft ? [svg("polyline", { points: draft.points.map((p) => p.join(",")).join(" ") })] : [];
    this.drawing.replaceChildren(...hidden({ region: of("region")[0] ?? [], masks: of("mask") }), ...outlines, ...line);
    this.canvas.classList.toggle("drawing", Boolean(draft));
    if (rebuilt) this.handles.replaceChildren(...(draft ? this.draftHandles() : chosen >= 0 ? this.pointHandles() : []));
    else this.placeHandles();
    this.onChange(this);
  }

  // While it is drawn: its points so far; the first one closes it.
  draftHandles() {
    const { points } = this.draft;
    if (!points.length) return [this.handle([0.5, 0.5], "more", `Make a rectangle as ${this.draft.kind}`, { onclick: () => this.close() })];
    return points.map((p, i) => this.handle(p, "", i ? `Point ${i + 1}` : "Point 1: close the polygon", i ? {} : { onclick: () => this.close() }));
  }

  pointHandles() {
    const { points, kind } = this.shapes[this.chosen];
    const corners = points.map((p, at) => this.handle(p, "", `Point ${at + 1} of ${points.length}, ${kind}: arrows move it, Delete removes it`, {
      onpointerdown: (event) => { event.target.focus(); this.drag(event, ([x, y]) => movePoint(this.shapes, this.chosen, at, x, y)); },
      onkeydown: (event) => this.key(event, at),
    }));
    const between = points.map((p, at) => this.handle(middle(p, points[(at + 1) % points.length]), "more", `Add a point after point ${at + 1}`, {
      tabindex: -1,
      onclick: () => this.insert(at),
    }));
    return [...corners, ...between];
  }

  placeHandles() {
    const { points } = this.shapes[this.chosen] ?? { points: [] };
    [...points, ...points.map((p, at) => middle(p, points[(at + 1) % points.length]))].forEach((p, i) => place(this.handles.children[i], p));
  }

  insert(at) {
    const { points } = this.shapes[this.chosen];
    this.change(insertPoint(this.shapes, this.chosen, at, ...middle(points[at], points[(at + 1) % points.length])));
    this.handles.children[at + 1]?.focus();
  }

  key(event, at) {
    const by = step(event);
    const [x, y] = this.shapes[this.chosen].points[at];
    if (by) this.change(movePoint(this.shapes, this.chosen, at, x + by[0], y + by[1]));
    else if (event.key === "Delete" || event.key === "Backspace") this.change(removePoint(this.shapes, this.chosen, at));
    else if (event.key === "+" || event.key === "Insert") return this.insert(at);
    else return;
    event.preventDefault();
    this.handles.children[Math.min(at, this.shapes[this.chosen].points.length - 1)]?.focus();
  }

  handle(p, kind, label, more) {
    return place(el("button", { class: `handle ${kind}`, type: "button", "aria-label": label, title: label, ...more }), p);
  }
}

function place(node, [x, y]) {
  node.style.left = `${x * 100}%`;
  node.style.top = `${y * 100}%`;
  return node;
}
