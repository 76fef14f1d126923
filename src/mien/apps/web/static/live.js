// The camera, one frame at a time: the next one is sent when the server has responded to the last one.
import { announce, describeLabel, download, el, faceIcon, finder, formatPercent, labelColour } from "./dom.js";
import { query, request } from "./api.js";
import { captureFrame, openCamera, stopCamera } from "./camera.js";
import { createCanvas, drawCrop, drawEvidence, drawFeatureMap } from "./canvas.js";
import { describeDoubts, headline, liveBars } from "./face_result.js";
import { createTimeline } from "./timeline.js";

const WIDTH = 640, MAPS = 9;

export function start(root) {
  const find = finder(root);
  const video = find("video"), overlay = find("overlay"), status = find("status");
  const showScores = liveBars(find("bars")), timeline = createTimeline(find("timeline"), find("legend")), showActivations = activationView(find("layers"));
  // The controller ends the loop, and aborts the request for its frame.
  let stream = null, paused = false, explaining = false, controller = new AbortController(), times = [], lastResult = null, stopped = false;

  find("start").addEventListener("click", open);
  find("stop").addEventListener("click", () => close("The camera is off."));
  find("pause").addEventListener("click", togglePause);
  find("explain").addEventListener("click", () => { explaining = !explaining; setPressed("explain", explaining); find("activations").hidden = !explaining; });
  find("snapshot").addEventListener("click", saveSnapshot);
  const closeWhenHidden = () => { if (document.hidden) close("The camera was closed, because this tab was hidden."); };
  document.addEventListener("visibilitychange", closeWhenHidden);

  function setPressed(name, pressed, text) {
    find(name).setAttribute("aria-pressed", String(pressed));
    if (text) find(name).textContent = text;
  }

  async function open() {
    setProblem("");
    find("start").disabled = true;
    try {
      stream = await openCamera(video);
    } catch (error) {
      setProblem(error.message);
    }
    find("start").disabled = false;
    if (!stream) return;
    if (stopped) return close("");
    stream.getVideoTracks()[0].addEventListener("ended", () => close("The camera was disconnected."));
    find("notice").hidden = true;
    find("live").hidden = false;
    paused = false;
    setPressed("pause", false, "Pause");
    announce("The camera is open");
    find("pause").focus({ preventScroll: true });
    run();
  }

  function close(message) {
    if (!stream) return;
    stopCamera(stream);
    stream = null;
    controller.abort();
    video.srcObject = null;
    find("live").hidden = true;
    find("notice").hidden = false;
    setProblem(message);
    timeline.clear();
    overlay.getContext("2d").clearRect(0, 0, overlay.width, overlay.height);
    times = [];
    lastResult = null;
  }

  function setProblem(message) {
    find("problem").textContent = message;
    find("problem").hidden = !message;
  }

  function togglePause() {
    paused = !paused;
    setPressed("pause", paused, paused ? "Continue" : "Pause");
    if (paused) { controller.abort(); video.pause(); }
    else video.play().then(run, () => {});
  }

  async function run() {
    if (!stream || paused) return;
    controller.abort();
    const { signal } = controller = new AbortController();
    while (!signal.aborted) {
      const frame = await captureFrame(video, WIDTH, 0.8);
      if (signal.aborted) return;
      if (!frame) { await wait(50); continue; }
      try {
        await send(frame, signal);
      } catch (error) {
        if (signal.aborted) return;
        status.textContent = error.message;
        await wait(error.status === 429 || error.status === 503 ? 1000 * Math.max(error.retryAfter, 1) : 2000);
      }
    }
  }

  async function send(frame, signal) {
    const began = performance.now();
    const path = explaining ? `/api/v1/activations?${query({ name: "camera.jpg", maps: MAPS })}` : `/api/v1/readings?${query({ name: "camera.jpg" })}`;
    const response = await (await request(path, { method: "POST", body: frame, type: "image/jpeg", signal })).json();
    if (signal.aborted) return;
    lastResult = response.image ?? response.images[0];
    showResult(lastResult, performance.now() - began);
    if (explaining) showActivations(response.activations);
  }

  function showResult(result, milliseconds) {
    const now = performance.now();
    times = [...times.filter(time => now - time < 2000), now];
    find("latency").textContent = `${Math.round(milliseconds)} ms`;
    find("rate").textContent = times.length > 1 ? ((times.length - 1) / ((now - times[0]) / 1000)).toFixed(1) : "–";
    find("faces").textContent = String(result.faces.length);
    status.textContent = result.faces.length ? "" : "No face";
    drawOverlay(overlay, result);
    const [face] = result.faces;
    if (face) {
      showScores(face.scores);
      find("label").replaceChildren(faceIcon(face.emotion), headline(face));
    } else {
      find("label").textContent = "\u00a0";
    }
    find("doubts").textContent = face ? describeDoubts(face).join(" ") : "";
    timeline.add(now / 1000, face?.quality.ok ? face.scores : null);
  }

  async function saveSnapshot() {
    const canvas = el("canvas", { width: video.videoWidth, height: video.videoHeight }), context = canvas.getContext("2d");
    context.drawImage(video, 0, 0);
    if (lastResult) drawBoxes(context, lastResult, canvas.width / lastResult.size[0], false);
    canvas.toBlob(blob => { if (blob) download(blob, "mien-live.jpg"); }, "image/jpeg", 0.92);
    announce("A snapshot was saved");
  }

  return () => { stopped = true; close(""); document.removeEventListener("visibilitychange", closeWhenHidden); };
}

const wait = ms => new Promise(resolve => setTimeout(resolve, ms));

function drawOverlay(overlay, result) {
  const density = Math.min(devicePixelRatio || 1, 2), [width, height] = result.size;
  if (overlay.width !== width * density) { overlay.width = width * density; overlay.height = height * density; }
  const context = overlay.getContext("2d");
  context.clearRect(0, 0, overlay.width, overlay.height);
  drawBoxes(context, result, density, true);
}

// The video and the overlay are mirrored; the text must not be.
function drawBoxes(context, result, scale, mirrored) {
  context.save();
  context.scale(scale, scale);
  context.font = "600 15px system-ui, sans-serif";
  for (const { box: [x, y, w, h], emotion, scores, uncertain, quality } of result.faces) {
    const doubtful = uncertain || !quality.ok;
    const text = `${emotion}${doubtful ? "?" : ""} ${formatPercent(scores[emotion])}`, textWidth = context.measureText(text).width + 14;
    context.lineWidth = 3;
    context.setLineDash(doubtful ? [9, 6] : []);
    context.strokeStyle = labelColour(emotion);
    context.strokeRect(x, y, w, h);
    const top = y > 28 ? y - 27 : y + 5;
    context.save();
    if (mirrored) { context.translate(x + w, 0); context.scale(-1, 1); } else context.translate(x, 0);
    context.fillStyle = labelColour(emotion);
    context.fillRect(0, top, textWidth, 23);
    context.fillStyle = "#1c2128";
    context.fillText(text, 7, top + 16.5);
    context.restore();
  }
  context.restore();
}

// A function that displays the network input, evidence and layers; it draws into the same canvases while the layers stay.
function activationView(container) {
  let view = null;
  const layersKey = activations => activations.layers.map(layer => `${layer.name}${layer.channels.length}`).join();
  const build = activations => {
    const crop = createCanvas({ class: "pixels" }), overlay = createCanvas({ class: "pixels" });
    const rows = activations.layers.filter(layer => layer.shape.length === 3).map(layer => ({ name: layer.name, tiles: layer.channels.map(() => createCanvas({ class: "pixels" })) }));
    const softmax = el("div", {}), text = el("small", {});
    container.replaceChildren(
      el("section", {}, el("h3", {}, "Network input"), el("div", { class: "overlay" }, crop, overlay), el("p", {}, text)),
      el("section", {}, el("h3", {}, "Softmax"), softmax),
      ...rows.map(row => el("section", {}, el("h3", {}, row.name), el("div", { class: "maps" }, row.tiles))));
    return { crop, overlay, rows, text, bars: liveBars(softmax), key: layersKey(activations) };
  };
  return activations => {
    if (!activations) return;
    if (view?.key !== layersKey(activations)) view = build(activations);
    drawCrop(view.crop, activations.crop);
    if (activations.map) drawEvidence(view.overlay, activations.map);
    view.text.textContent = activations.map ? `Bright: evidence for “${describeLabel(activations.map.target)}”.` : "";
    view.bars(activations.scores);
    for (const row of view.rows) {
      const layer = activations.layers.find(each => each.name === row.name);
      row.tiles.forEach((tile, i) => drawFeatureMap(tile, layer, { channel: i }));
    }
  };
}
