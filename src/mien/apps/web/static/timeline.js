// The scores of the last minute, as lines on a canvas.
import { el, faceIcon, labelColour } from "./dom.js";

const SECONDS = 60;

export function createTimeline(canvas, legend) {
  let points = [], labels = [];
  const context = canvas.getContext("2d");

  function draw() {
    const density = Math.min(devicePixelRatio || 1, 2), width = canvas.clientWidth || 600, height = 150;
    if (canvas.width !== width * density) { canvas.width = width * density; canvas.height = height * density; }
    context.setTransform(density, 0, 0, density, 0, 0);
    context.clearRect(0, 0, width, height);
    context.strokeStyle = getComputedStyle(canvas).getPropertyValue("--line");
    context.lineWidth = 1;
    for (const score of [0.25, 0.5, 0.75]) drawLine([[0, height * (1 - score)], [width, height * (1 - score)]]);
    const now = points.at(-1)?.time ?? 0, position = time => width - (now - time) / SECONDS * width;
    for (const label of labels) {
      context.strokeStyle = labelColour(label);
      context.lineWidth = 2.25;
      // A frame without a face interrupts the line.
      let line = [];
      for (const { time, scores } of points) {
        if (scores) { line.push([position(time), 4 + (height - 8) * (1 - scores[label])]); continue; }
        drawLine(line);
        line = [];
      }
      drawLine(line);
    }
  }

  function drawLine(line) {
    if (line.length < 2) return;
    context.beginPath();
    for (const [x, y] of line) context.lineTo(x, y);
    context.stroke();
  }

  return {
    add(time, scores) {
      points.push({ time, scores });
      points = points.filter(point => time - point.time < SECONDS);
      if (scores && labels.join() !== Object.keys(scores).join()) {
        labels = Object.keys(scores);
        legend.replaceChildren(el("span", { class: "legend" }, labels.map(label => el("span", {}, faceIcon(label), ` ${label}`))));
      }
      draw();
    },
    clear() { points = []; draw(); },
  };
}
