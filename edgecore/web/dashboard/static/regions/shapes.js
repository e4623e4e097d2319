// What is drawn, and what may be done to it. No document here: shapes in, shapes out.

const DECIMALS = 1e4;
const clamp = (v) => Math.round(Math.min(1, Math.max(0, v)) * DECIMALS) / DECIMALS;
const point = (x, y) => [clamp(x), clamp(y)];

// [{ kind: "region" | "mask", points: [[x, y], …] }], the region first.
export const fromDeployed = ({ region = [], masks = [] }) => [
  ...(region.length ? [{ kind: "region", points: region }] : []),
  ...masks.map((points) => ({ kind: "mask", points })),
];

export function toBody(camera, shapes) {
  const of = (kind) => shapes.filter((s) => s.kind === kind).map((s) => s.points);
  return { camera, region: of("region")[0] ?? [], masks: of("mask") };
}

// There is one region: another one takes its place.
export function add(shapes, kind, points) {
  const shape = { kind, points: points.map(([x, y]) => point(x, y)) };
  if (kind === "mask") return [...shapes, shape];
  return [shape, ...shapes.filter((s) => s.kind === "mask")];
}

export const remove = (shapes, index) => shapes.filter((_, i) => i !== index);

const changed = (shapes, index, points) => shapes.map((s, i) => (i === index ? { ...s, points } : s));

export const movePoint = (shapes, index, at, x, y) => changed(shapes, index, shapes[index].points.map((p, i) => (i === at ? point(x, y) : p)));

export const insertPoint = (shapes, index, after, x, y) => changed(shapes, index, shapes[index].points.toSpliced(after + 1, 0, point(x, y)));

// A polygon keeps three points; the last ones go with the whole of it.
export const removePoint = (shapes, index, at) => (shapes[index].points.length > 3 ? changed(shapes, index, shapes[index].points.toSpliced(at, 1)) : shapes);

// As far as the picture goes, in its own form.
export function moveShape(shapes, index, dx, dy) {
  const { points } = shapes[index];
  const room = (values, by) => Math.max(-Math.min(...values), Math.min(1 - Math.max(...values), by));
  const [x, y] = [room(points.map((p) => p[0]), dx), room(points.map((p) => p[1]), dy)];
  return changed(shapes, index, points.map((p) => point(p[0] + x, p[1] + y)));
}

export const rectangle = (kind) => {
  const [low, high] = kind === "region" ? [0.1, 0.9] : [0.4, 0.6];
  return [[low, low], [high, low], [high, high], [low, high]];
};
