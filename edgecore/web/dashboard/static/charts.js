// Three uPlot charts over one set of points; the browser keeps as many as the core does.

import { byId } from "./dom.js";

const LIMIT = { "10m": 600, "6h": 2160 };
const HEIGHT = 180;
const CHARTS = [
  ["chart-rate", [["ok", "ok", "--s1", true], ["failed", "failed", "--bad"], ["dropped", "dropped", "--s2"], ["gaps", "gaps", "--s4"]]],
  ["chart-latency", [["total_Q", "total", "--text"], ["queue_Q", "queue", "--s2"], ["read_Q", "read", "--s5"], ["transform_Q", "transform", "--s3"], ["inference_Q", "inference", "--s1"], ["order_Q", "order", "--s4"]]],
  ["chart-queues", [["backlog", "backlog", "--s1", true], ["inflight", "in flight", "--s3"], ["held", "reorder buffer", "--s4"], ["router", "core queue", "--s2"], ["spooled", "cloud", "--s6"]]],
];

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const time = (t, seconds) => new Date(t * 1000).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", second: seconds ? "2-digit" : undefined });
const number = (v) => (v == null ? "–" : v >= 100 ? v.toFixed(0) : v.toFixed(1));

// A value between two that were not measured has no line to be on: it is drawn as a point.
const lonely = (plot, index) => {
  const values = plot.data[index];
  const found = [];
  values.forEach((v, i) => v != null && values[i - 1] == null && values[i + 1] == null && found.push(i));
  return found.length ? found : null;
};

export class Charts {
  constructor() {
    this.columns = [];
    this.points = [];
    this.span = "10m";
    this.quantile = "p50";
    this.plots = [];
    this.newest = null;
    // Resizes come in bursts while a window is dragged.
    this.resizer = new ResizeObserver(() => requestAnimationFrame(() => this.resize()));
  }

  async load(columns) {
    this.columns = columns;
    const answer = await fetch(`/api/history?span=${this.span}`);
    const history = await answer.json();
    const newer = this.span === "10m" ? this.points.filter((p) => !(p[0] <= (history.points.at(-1)?.[0] ?? 0))) : [];
    this.points = [...history.points, ...newer].slice(-LIMIT[this.span]);
    if (!this.plots.length) this.build();
    this.draw();
  }

  // Points arrive once a second; the 6-hour view is fetched again by the minute instead.
  append(points) {
    this.newest = points.at(-1) ?? this.newest;
    if (this.span !== "10m" || !points.length) return;
    // Also of a clock that was set back.
    while (this.points.at(-1)?.[0] >= points[0][0]) this.points.pop();
    this.points.push(...points);
    this.points.splice(0, this.points.length - LIMIT[this.span]);
    if (this.plots.length && !document.hidden) this.drawSoon();
  }

  build() {
    this.resizer.disconnect();
    for (const plot of this.plots) plot.destroy();
    this.plots = CHARTS.map(([id, series]) => {
      const node = byId(id);
      this.resizer.observe(node);
      return new uPlot(this.options(node, series), [[]], node);
    });
    this.draw();
  }

  options(node, series) {
    const axis = { stroke: colour("--dim"), grid: { stroke: colour("--grid"), width: 1 }, ticks: { show: false }, font: "11px system-ui" };
    return {
      width: node.clientWidth || 300,
      height: HEIGHT,
      cursor: { y: false, points: { size: 5 }, drag: { x: false, y: false } },
      legend: { live: true },
      scales: { y: { range: (_plot, _low, high) => [0, high > 0 ? high * 1.08 : 1] } },
      axes: [{ ...axis, space: 70, size: 26, values: (_plot, ts) => ts.map((t, i) => time(t, ts[1] - ts[0] < 60 || (i === 0 && ts.length === 1))) }, { ...axis, size: 46 }],
      series: [
        { label: "at", value: (_plot, t) => (t ? time(t, true) : "–") },
        ...series.map(([, label, variable, filled]) => ({
          label, stroke: colour(variable), width: label === "total" ? 2 : 1.4, points: { show: false, size: 4, filter: lonely }, spanGaps: false,
          fill: filled ? colour(variable) + "22" : undefined, value: (_plot, v) => number(v),
        })),
      ],
    };
  }

  // Once a frame: a page that catches up draws what is.
  drawSoon() {
    this.frame ??= requestAnimationFrame(() => this.draw());
  }

  draw() {
    cancelAnimationFrame(this.frame);
    this.frame = null;
    const times = this.points.map((p) => p[0]);
    CHARTS.forEach(([, series], index) => {
      const plot = this.plots[index];
      const columns = series.map(([name]) => this.columns.indexOf(name.replace("_Q", `_${this.quantile}`)));
      plot.setData([times, ...columns.map((column) => this.points.map((p) => p[column]))]);
      if (plot.cursor.left < 0 || plot.cursor.left == null) plot.setLegend({ idx: times.length - 1 });
    });
  }

  resize() {
    for (const plot of this.plots) {
      const width = plot.root.parentNode.clientWidth;
      if (width && width !== plot.width) plot.setSize({ width, height: HEIGHT });
    }
  }

  // The last point's value of one column, e.g. latest("total_p50").
  latest(name) {
    return (this.newest ?? this.points.at(-1))?.[this.columns.indexOf(name)];
  }
}
