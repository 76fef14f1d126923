// Shares over the last minute, as lines on a canvas.
import { el, face, hue } from "./dom.js";

const SPAN = 60;

export function timeline(canvas, legend) {
  let points = [], labels = [];
  const on = canvas.getContext("2d");

  function draw() {
    const density = Math.min(devicePixelRatio || 1, 2), width = canvas.clientWidth || 600, height = 150;
    if (canvas.width !== width * density) { canvas.width = width * density; canvas.height = height * density; }
    on.setTransform(density, 0, 0, density, 0, 0);
    on.clearRect(0, 0, width, height);
    on.strokeStyle = getComputedStyle(canvas).getPropertyValue("--line");
    on.lineWidth = 1;
    for (const part of [0.25, 0.5, 0.75]) line([[0, part], [width, part]].map(([x, share]) => [x, height * (1 - share)]));
    const now = points.at(-1)?.time ?? 0, across = time => width - (now - time) / SPAN * width;
    for (const label of labels) {
      on.strokeStyle = hue(label);
      on.lineWidth = 2.25;
      let run = [];
      for (const { time, scores } of points) {
        if (scores) { run.push([across(time), 4 + (height - 8) * (1 - scores[label])]); continue; }
        line(run);
        run = [];
      }
      line(run);
    }
  }

  function line(places) {
    if (places.length < 2) return;
    on.beginPath();
    for (const [x, y] of places) on.lineTo(x, y);
    on.stroke();
  }

  return {
    add(time, scores) {
      points.push({ time, scores });
      points = points.filter(point => time - point.time < SPAN);
      if (scores && labels.join() !== Object.keys(scores).join()) {
        labels = Object.keys(scores);
        legend.replaceChildren(el("span", { class: "legend" }, labels.map(label => el("span", {}, face(label), ` ${label}`))));
      }
      draw();
    },
    clear() { points = []; draw(); },
  };
}
