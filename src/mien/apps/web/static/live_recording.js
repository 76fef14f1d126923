// What a visitor saves of a live session, on the own machine: a video of the annotated frames, and a table of the faces.
import { el } from "./dom.js";

const MAX_ROWS = 100_000, FRAME_RATE = 15;
const FACE_COLUMNS = ["frame", "seconds", "track", "x", "y", "width", "height", "detection", "emotion"], REASON_COLUMNS = ["uncertain", "quality"];
const RESERVED = new Set([...FACE_COLUMNS, ...REASON_COLUMNS]);

// Records what draw(context, [width, height]) draws, once for each analysed frame.
export function createRecorder(draw) {
  let recorder = null, context = null, parts = [];
  return {
    get running() { return recorder !== null; },
    // Returns a message where the browser cannot record.
    start([width, height]) {
      if (!window.MediaRecorder || !HTMLCanvasElement.prototype.captureStream) return "This browser cannot record.";
      const canvas = el("canvas", { width, height });
      context = canvas.getContext("2d");
      draw(context, [width, height]);
      parts = [];
      recorder = new MediaRecorder(canvas.captureStream(FRAME_RATE), { mimeType: "video/webm" });
      recorder.addEventListener("dataavailable", event => { if (event.data.size) parts.push(event.data); });
      recorder.start(1000);
      return "";
    },
    draw() { if (recorder) draw(context, [context.canvas.width, context.canvas.height]); },
    // Resolves with the video, or null if there is none.
    stop() {
      const ended = recorder;
      recorder = null;
      return new Promise(resolve => {
        ended.addEventListener("stop", () => resolve(parts.length ? new Blob(parts, { type: "video/webm" }) : null), { once: true });
        ended.stop();
      });
    },
  };
}

// The faces of all frames, in the columns of the table of faces of a video.
export function createTable() {
  let rows = [], labels = [], full = false;
  // Labels come from model files: none has the name of another column, and none is a formula in a spreadsheet.
  const scoreColumn = label => RESERVED.has(label) ? `score_${label}` : label;
  const escapeFormula = value => typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  const cell = value => value === null || value === undefined ? "" : /[",\n]/.test(String(value)) ? `"${String(value).replaceAll('"', '""')}"` : String(value);
  return {
    add(frame, seconds, faces) {
      for (const face of faces) {
        labels = Object.keys(face.scores);
        full = rows.length >= MAX_ROWS;
        if (!full) rows.push({ frame, seconds, ...face });
      }
    },
    clear() { rows = []; full = false; },
    describe() { return rows.length ? `${rows.length.toLocaleString("en")} rows${full ? ", the most that are kept" : ""}` : ""; },
    toCsv() {
      const header = [...FACE_COLUMNS, ...labels.map(scoreColumn), ...REASON_COLUMNS];
      const lines = rows.map(row => [row.frame, row.seconds, row.track, ...row.box, row.detection, row.emotion, ...labels.map(label => row.scores[label].toFixed(5)), row.uncertain, row.quality.ok ? "" : row.quality.reason ?? "the face is not clear"]);
      return new Blob([[header, ...lines].map(line => line.map(escapeFormula).map(cell).join(",")).join("\n"), "\n"], { type: "text/csv" });
    },
    toJson() { return new Blob([JSON.stringify(rows, null, 1)], { type: "application/json" }); },
  };
}
