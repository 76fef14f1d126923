// The scores of the last minute: a lane for each track, stacked over time.
import { describeLabel, el, formatPercent, labelColour } from "./dom.js";

const SECONDS = 60, MAX_LANES = 8, HEIGHT = 64;

export function createTimeline(container) {
  let lanes = new Map();

  function createLane(track) {
    const canvas = el("canvas", { height: HEIGHT, role: "img", "aria-label": `Scores of track ${track} in the last minute` });
    const text = el("span", {});
    const lane = { track, points: [], canvas, text, element: el("div", { class: "lane", "data-track": String(track) }, el("p", {}, el("b", {}, `Track ${track} `), text), canvas) };
    container.append(lane.element);
    return lane;
  }

  function draw(lane, now) {
    const { canvas, points } = lane, density = Math.min(devicePixelRatio || 1, 2), width = canvas.clientWidth || 600;
    if (canvas.width !== Math.round(width * density)) { canvas.width = Math.round(width * density); canvas.height = HEIGHT * density; }
    const context = canvas.getContext("2d"), position = time => Math.round((width - (now - time) / SECONDS * width) * density) / density;
    context.setTransform(density, 0, 0, density, 0, 0);
    context.clearRect(0, 0, width, HEIGHT);
    points.forEach(({ time, scores }, i) => {
      // A column for each frame, until the next one; a gap where the face was missing.
      const next = points[i + 1]?.time ?? now, left = position(time), right = Math.max(position(next - time > 1 ? time + 0.2 : next), left + 1 / density);
      let top = HEIGHT;
      for (const [label, score] of scores ? Object.entries(scores) : []) {
        context.fillStyle = labelColour(label);
        context.fillRect(left, top - HEIGHT * score, right - left, HEIGHT * score);
        top -= HEIGHT * score;
      }
      if (!scores) {
        context.fillStyle = getComputedStyle(canvas).getPropertyValue("--line");
        context.fillRect(left, HEIGHT - 4, right - left, 4);
      }
    });
  }

  return {
    add(time, faces) {
      for (const face of faces) {
        if (face.track === null) continue;
        if (!lanes.has(face.track)) lanes.set(face.track, createLane(face.track));
        const lane = lanes.get(face.track);
        lane.points.push({ time, scores: face.quality.ok ? face.scores : null });
        lane.text.textContent = `${face.uncertain ? "perhaps " : ""}${describeLabel(face.emotion)} ${formatPercent(face.scores[face.emotion])}`;
      }
      for (const lane of lanes.values()) {
        lane.points = lane.points.filter(point => time - point.time < SECONDS);
        lane.element.classList.toggle("absent", !faces.some(face => face.track === lane.track));
      }
      // Lanes of tracks that were not visible for a minute are removed, and the oldest of too many.
      const oldest = [...lanes.values()].sort((first, second) => (first.points.at(-1)?.time ?? 0) - (second.points.at(-1)?.time ?? 0));
      oldest.forEach((lane, i) => {
        if (lane.points.length && i >= oldest.length - MAX_LANES) return draw(lane, time);
        lane.element.remove();
        lanes.delete(lane.track);
      });
    },
    clear() { container.replaceChildren(); lanes = new Map(); },
  };
}
