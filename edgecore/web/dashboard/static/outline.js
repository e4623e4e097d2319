// A camera's region and masks as paths over its picture, in fractions of it.

import { svg } from "./dom.js";

const path = (polygon) => `M${polygon.map(([x, y]) => `${x} ${y}`).join("L")}Z`;

// What is not looked at, shaded: all around the region, and each mask.
export function hidden({ region = [], masks = [] } = {}) {
  const shapes = masks.map(path);
  if (region.length) shapes.unshift(`M-1-1H2V2H-1Z${path(region)}`);
  return shapes.map((d) => svg("path", { class: "unseen", d }));
}

export const outline = (polygon, kind) => svg("path", { class: kind, d: path(polygon) });
