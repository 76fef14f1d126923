// The browser's camera, one frame on its way at a time: as fast as the server answers, and no faster.
import { el, face, hue, looks, percent, say, save } from "./dom.js";
import { camera, stopCamera } from "./camera.js";
import { frame } from "./file_input.js";
import { canvas, paintCrop, paintMap, paintOver } from "./canvas.js";
import { doubts, headline, liveBars } from "./face_result.js";
import { timeline } from "./timeline.js";
import { ask, query } from "./api.js";

const WIDTH = 640, MAPS = 9;

export function start(root) {
  const one = name => root.querySelector(`[data-${name}]`);
  const video = one("video"), over = one("over"), state = one("state");
  const show = liveBars(one("bars")), line = timeline(one("timeline"), one("legend")), layers = within(one("layers"));
  // going stops the reading of frames, and the frame that is on its way with it.
  let stream = null, paused = false, inside = false, going = new AbortController(), times = [], last = null, left = false;

  one("start").addEventListener("click", open);
  one("stop").addEventListener("click", () => close("The camera is off."));
  one("pause").addEventListener("click", pause);
  one("inside").addEventListener("click", () => { inside = !inside; pressed("inside", inside); one("within").hidden = !inside; });
  one("shot").addEventListener("click", snapshot);
  const hidden = () => { if (document.hidden) close("The camera was closed, because this tab was hidden."); };
  document.addEventListener("visibilitychange", hidden);

  function pressed(name, on, words) {
    one(name).setAttribute("aria-pressed", String(on));
    if (words) one(name).textContent = words;
  }

  async function open() {
    problem("");
    one("start").disabled = true;
    try {
      stream = await camera(video);
    } catch (error) {
      problem(error.message);
    }
    one("start").disabled = false;
    if (!stream) return;
    if (left) return close("");
    stream.getVideoTracks()[0].addEventListener("ended", () => close("The camera went away."));
    one("notice").hidden = true;
    one("live").hidden = false;
    paused = false;
    pressed("pause", false, "Pause");
    say("The camera is open");
    one("pause").focus({ preventScroll: true });
    loop();
  }

  function close(words) {
    if (!stream) return;
    stopCamera(stream);
    stream = null;
    going.abort();
    video.srcObject = null;
    one("live").hidden = true;
    one("notice").hidden = false;
    problem(words);
    line.clear();
    over.getContext("2d").clearRect(0, 0, over.width, over.height);
    times = [];
    last = null;
  }

  function problem(words) {
    one("problem").textContent = words;
    one("problem").hidden = !words;
  }

  function pause() {
    paused = !paused;
    pressed("pause", paused, paused ? "Go on" : "Pause");
    if (paused) { going.abort(); video.pause(); }
    else video.play().then(loop, () => {});
  }

  async function loop() {
    if (!stream || paused) return;
    going.abort();
    const { signal } = going = new AbortController();
    while (!signal.aborted) {
      const picture = await frame(video, WIDTH, 0.8);
      if (signal.aborted) return;
      if (!picture) { await rest(50); continue; }
      try {
        await send(picture, signal);
      } catch (error) {
        if (signal.aborted) return;
        state.textContent = error.message;
        await rest(error.status === 429 || error.status === 503 ? 1000 * Math.max(error.after, 1) : 2000);
      }
    }
  }

  async function send(picture, signal) {
    const began = performance.now();
    const path = inside ? `/api/v1/looks?${query({ name: "camera.jpg", maps: MAPS })}` : `/api/v1/readings?${query({ name: "camera.jpg" })}`;
    const answer = await (await ask(path, { method: "POST", body: picture, kind: "image/jpeg", signal })).json();
    if (signal.aborted) return;
    const result = answer.picture ?? answer.pictures[0];
    told(result, performance.now() - began);
    if (inside) layers(answer.look);
    last = result;
  }

  function told(result, took) {
    const now = performance.now();
    times = [...times.filter(time => now - time < 2000), now];
    one("latency").textContent = `${Math.round(took)} ms`;
    one("rate").textContent = times.length > 1 ? ((times.length - 1) / ((now - times[0]) / 1000)).toFixed(1) : "–";
    one("faces").textContent = String(result.faces.length);
    state.textContent = result.faces.length ? "" : "No face in sight";
    boxes(over, result);
    const [first] = result.faces;
    if (first) {
      show(first.scores);
      one("looks").replaceChildren(face(first.emotion), headline(first));
    } else {
      one("looks").textContent = "\u00a0";
    }
    one("doubts").textContent = first ? doubts(first).join(" ") : "";
    line.add(now / 1000, first?.quality.ok ? first.scores : null);
  }

  async function snapshot() {
    const still = el("canvas", { width: video.videoWidth, height: video.videoHeight }), on = still.getContext("2d");
    on.drawImage(video, 0, 0);
    if (last) boxesOn(on, last, still.width / last.size[0], false);
    still.toBlob(blob => { if (blob) save(blob, "mien-live.jpg"); }, "image/jpeg", 0.92);
    say("A snapshot was saved");
  }

  return () => { left = true; close(""); document.removeEventListener("visibilitychange", hidden); };
}

const rest = ms => new Promise(done => setTimeout(done, ms));

function boxes(over, result) {
  const density = Math.min(devicePixelRatio || 1, 2), [width, height] = result.size;
  if (over.width !== width * density) { over.width = width * density; over.height = height * density; }
  const on = over.getContext("2d");
  on.clearRect(0, 0, over.width, over.height);
  boxesOn(on, result, density, true);
}

// The video is shown mirrored, and so is what lies over it; its words must not be.
function boxesOn(on, result, scale, mirrored) {
  on.save();
  on.scale(scale, scale);
  on.font = "600 15px system-ui, sans-serif";
  for (const { box: [x, y, w, h], emotion, scores, uncertain, quality } of result.faces) {
    const unsure = uncertain || !quality.ok;
    const words = `${emotion}${unsure ? "?" : ""} ${percent(scores[emotion])}`, wide = on.measureText(words).width + 14;
    on.lineWidth = 3;
    on.setLineDash(unsure ? [9, 6] : []);
    on.strokeStyle = hue(emotion);
    on.strokeRect(x, y, w, h);
    const top = y > 28 ? y - 27 : y + 5;
    on.save();
    if (mirrored) { on.translate(x + w, 0); on.scale(-1, 1); } else on.translate(x, 0);
    on.fillStyle = hue(emotion);
    on.fillRect(0, top, wide, 23);
    on.fillStyle = "#1c2128";
    on.fillText(words, 7, top + 16.5);
    on.restore();
  }
  on.restore();
}

// Crop, evidence and a few layers, redrawn in place while they move.
function within(into) {
  let parts = null;
  const build = look => {
    const crop = canvas({ class: "pixels" }), over = canvas({ class: "pixels" });
    const rows = look.layers.filter(layer => layer.shape.length === 3).map(layer => ({ name: layer.name, tiles: layer.channels.map(() => canvas({ class: "pixels" })) }));
    const soft = el("div", {});
    into.replaceChildren(
      el("section", {}, el("h3", {}, "What it sees"), el("div", { class: "over" }, crop, over), el("p", {}, el("small", { "data-for": true }, ""))),
      el("section", {}, el("h3", {}, "Softmax"), soft),
      ...rows.map(row => el("section", {}, el("h3", {}, row.name), el("div", { class: "maps" }, row.tiles))));
    return { crop, over, rows, said: into.querySelector("[data-for]"), bars: liveBars(soft), key: key(look) };
  };
  const key = look => look.layers.map(layer => `${layer.name}${layer.channels.length}`).join();
  return look => {
    if (!look) return;
    if (parts?.key !== key(look)) parts = build(look);
    paintCrop(parts.crop, look.crop);
    if (look.map) paintOver(parts.over, look.map);
    parts.said.textContent = look.map ? `Bright: what made it say “${looks(look.map.target)}”.` : "";
    parts.bars(look.scores);
    for (const row of parts.rows) {
      const layer = look.layers.find(each => each.name === row.name);
      row.tiles.forEach((tile, i) => paintMap(tile, layer, { channel: i }));
    }
  };
}
