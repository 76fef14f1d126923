// The camera, one frame at a time: the next one is sent when the server has responded to the last one. The server tracks
// and smooths the faces of the session.
import { announce, describeLabel, download, el, faceIcon, finder, formatPercent, labelColour } from "./dom.js";
import { query, request } from "./api.js";
import { captureFrame, listCameras, openCamera, stopCamera } from "./camera.js";
import { createCanvas, drawCrop, drawEvidence, drawFeatureMap } from "./canvas.js";
import { describeDoubts, headline, liveBars } from "./face_result.js";
import { createRecorder, createTable } from "./live_recording.js";
import { createTimeline } from "./timeline.js";

const WIDTH = 640, MAPS = 9;

export function start(root) {
  const find = finder(root);
  const video = find("video"), overlay = find("overlay"), status = find("status"), cameras = find("cameras");
  const showScores = liveBars(find("bars")), timeline = createTimeline(find("lanes")), showActivations = activationView(find("layers"));
  const recorder = createRecorder((context, size) => drawFrame(context, size)), table = createTable();
  // The controller ends the loop, and aborts the request for its frame.
  let stream = null, paused = false, explaining = false, mirrored = true, controller = new AbortController(), times = [], lastResult = null, stopped = false;
  // The session on the server. A second one for the same camera continues the numbers of the first: see send().
  let session = null, began = 0, frameCount = 0, trackCount = 0, first = { frame: 0, track: 0 };

  find("start").addEventListener("click", () => open());
  find("stop").addEventListener("click", () => close("The camera is off."));
  find("pause").addEventListener("click", togglePause);
  find("explain").addEventListener("click", () => { explaining = !explaining; setPressed("explain", explaining); find("activations").hidden = !explaining; });
  find("mirror").addEventListener("click", () => { mirrored = !mirrored; setPressed("mirror", mirrored); find("stage").classList.toggle("mirrored", mirrored); if (lastResult) drawOverlay(); });
  find("snapshot").addEventListener("click", saveSnapshot);
  find("record").addEventListener("click", toggleRecording);
  find("csv").addEventListener("click", () => download(table.toCsv(), "mien-live.csv"));
  find("json").addEventListener("click", () => download(table.toJson(), "mien-live.json"));
  cameras.addEventListener("change", () => open(cameras.value));
  const closeWhenHidden = () => { if (document.hidden) close("The camera was closed, because this tab was hidden."); };
  document.addEventListener("visibilitychange", closeWhenHidden);

  function setPressed(name, pressed, text) {
    find(name).setAttribute("aria-pressed", String(pressed));
    if (text) find(name).textContent = text;
  }

  // Opens a camera, the one with this id or any; a camera that is open is closed first.
  async function open(deviceId = "") {
    setProblem("");
    find("start").disabled = true;
    if (stream) { controller.abort(); stopCamera(stream); stream = null; }
    let opened = null;
    try {
      opened = await openCamera(video, deviceId);
    } catch (error) {
      setProblem(error.message);
      find("live").hidden = true;
      find("notice").hidden = false;
    }
    find("start").disabled = false;
    if (!opened) return;
    stream = opened;
    if (stopped) return close("");
    opened.getVideoTracks()[0].addEventListener("ended", () => { if (stream === opened) close("The camera was disconnected."); });
    await showCameras();
    find("notice").hidden = true;
    find("live").hidden = false;
    paused = false;
    setPressed("pause", false, "Pause");
    announce("The camera is open");
    if (!deviceId) find("pause").focus({ preventScroll: true });
    closeSession();
    timeline.clear();
    table.clear();
    began = performance.now();
    frameCount = trackCount = 0;
    run();
  }

  async function showCameras() {
    const devices = await listCameras(), current = stream.getVideoTracks()[0].getSettings().deviceId;
    cameras.replaceChildren(...devices.map(({ id, name }) => el("option", { value: id, selected: id === current }, name)));
    find("camera-choice").hidden = devices.length < 2;
  }

  function close(message) {
    if (!stream) return;
    if (recorder.running) toggleRecording();
    stopCamera(stream);
    stream = null;
    controller.abort();
    closeSession();
    video.srcObject = null;
    find("live").hidden = true;
    find("notice").hidden = false;
    setProblem(message);
    overlay.getContext("2d").clearRect(0, 0, overlay.width, overlay.height);
    times = [];
    lastResult = null;
  }

  function closeSession() {
    if (session) request(session.self, { method: "DELETE" }).catch(() => { /* it ends by itself */ });
    session = null;
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
        // The session of a camera that was paused for long, or the server was started again.
        if (error.status === 404) { session = null; continue; }
        status.textContent = error.message;
        await wait(error.status === 429 || error.status === 503 ? 1000 * Math.max(error.retryAfter, 1) : 2000);
      }
    }
  }

  async function send(frame, signal) {
    const sent = performance.now();
    if (!session) {
      session = (await (await request(`/api/v1/live?${query()}`, { method: "POST", signal })).json()).links;
      first = { frame: frameCount, track: trackCount };
    }
    const path = `${session.frames}?${query({ name: "camera.jpg", seconds: ((sent - began) / 1000).toFixed(3), maps: explaining ? MAPS : "" })}`;
    const response = await (await request(path, { method: "POST", body: frame, type: "image/jpeg", signal })).json();
    if (signal.aborted) return;
    // A new session counts frames and tracks from the beginning, and cannot know which faces are the same.
    response.frame += first.frame;
    if (response.main_track !== null) response.main_track += first.track;
    for (const face of response.image.faces) if (face.track !== null) trackCount = Math.max(trackCount, face.track += first.track);
    frameCount = response.frame + 1;
    lastResult = response;
    showResult(response, performance.now() - sent);
    if (explaining) showActivations(response.activations);
  }

  function showResult({ image, seconds, main_track: mainTrack, frame }, milliseconds) {
    const now = performance.now();
    times = [...times.filter(time => now - time < 2000), now];
    find("latency").textContent = `${Math.round(milliseconds)} ms`;
    find("rate").textContent = times.length > 1 ? ((times.length - 1) / ((now - times[0]) / 1000)).toFixed(1) : "–";
    find("faces").textContent = String(image.faces.length);
    status.textContent = image.faces.length ? "" : "No face";
    drawOverlay();
    const face = image.faces.find(each => each.track !== null && each.track === mainTrack) ?? image.faces[0];
    if (face) {
      showScores(face.scores);
      const number = image.faces.length > 1 && face.track !== null ? el("small", { class: "muted" }, `track ${face.track}`) : "";
      find("label").replaceChildren(faceIcon(face.emotion), headline(face), number);
    } else {
      find("label").textContent = "\u00a0";
    }
    find("doubts").textContent = face ? describeDoubts(face).join(" ") : "";
    timeline.add(seconds, image.faces);
    table.add(frame, seconds, image.faces);
    find("rows").textContent = table.describe();
    find("downloads").hidden = !table.describe();
    recorder.draw();
  }

  function drawOverlay() {
    const density = Math.min(devicePixelRatio || 1, 2), [width, height] = lastResult.image.size;
    if (overlay.width !== width * density) { overlay.width = width * density; overlay.height = height * density; }
    const context = overlay.getContext("2d");
    context.clearRect(0, 0, overlay.width, overlay.height);
    // On a small screen the canvas is scaled down, and its text must stay readable.
    drawBoxes(context, lastResult.image, density, mirrored, Math.max(width / (overlay.clientWidth || width), 1));
  }

  // The camera's image with the boxes of the last frame, as it is saved: never mirrored.
  function drawFrame(context, [width]) {
    context.drawImage(video, 0, 0, width, width * video.videoHeight / video.videoWidth);
    if (lastResult) drawBoxes(context, lastResult.image, width / lastResult.image.size[0], false);
  }

  async function saveSnapshot() {
    const canvas = el("canvas", { width: video.videoWidth, height: video.videoHeight });
    drawFrame(canvas.getContext("2d"), [canvas.width, canvas.height]);
    canvas.toBlob(blob => { if (blob) download(blob, "mien-live.jpg"); }, "image/jpeg", 0.92);
    announce("A snapshot was saved");
  }

  async function toggleRecording() {
    if (!recorder.running) {
      const message = recorder.start([video.videoWidth, video.videoHeight]);
      if (message) { status.textContent = message; return; }
    } else {
      const blob = await recorder.stop();
      if (blob) download(blob, "mien-live.webm");
      announce("The recording was saved");
    }
    setPressed("record", recorder.running, recorder.running ? "Stop recording" : "Record");
  }

  return () => { stopped = true; close(""); document.removeEventListener("visibilitychange", closeWhenHidden); };
}

const wait = ms => new Promise(resolve => setTimeout(resolve, ms));

// The video and the overlay may be mirrored; the text must not be.
// unit: the size of a pixel of text and lines, in pixels of the image.
function drawBoxes(context, result, scale, mirrored, unit = 1) {
  context.save();
  context.scale(scale, scale);
  context.font = `600 ${15 * unit}px system-ui, sans-serif`;
  for (const { box: [x, y, w, h], emotion, scores, uncertain, quality, track } of result.faces) {
    const doubtful = uncertain || !quality.ok, number = track === null ? "" : `${track}: `, height = 23 * unit;
    const text = `${number}${emotion}${doubtful ? "?" : ""} ${formatPercent(scores[emotion])}`, textWidth = context.measureText(text).width + 14 * unit;
    context.lineWidth = 3 * unit;
    context.setLineDash(doubtful ? [9 * unit, 6 * unit] : []);
    context.strokeStyle = labelColour(emotion);
    context.strokeRect(x, y, w, h);
    const top = y > height + 5 * unit ? y - height - 4 * unit : y + 5 * unit;
    // The whole label is inside the image; in a mirrored one the text begins at the right side of the box.
    const start = mirrored ? Math.max(x + w, textWidth) : Math.min(x, Math.max(result.size[0] - textWidth, 0));
    context.save();
    context.translate(start, 0);
    if (mirrored) context.scale(-1, 1);
    context.fillStyle = labelColour(emotion);
    context.fillRect(0, top, textWidth, height);
    context.fillStyle = "#1c2128";
    context.fillText(text, 7 * unit, top + 16.5 * unit);
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
