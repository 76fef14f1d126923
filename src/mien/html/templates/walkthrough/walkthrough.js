"use strict";
// Controls every walkthrough on the page. Without the script all steps are on the page, one below the other.
// The script may run again after another walkthrough has been added to the page.
for (const walkthrough of document.querySelectorAll(".walkthrough:not(.interactive)")) {
  const one = (selector, within = walkthrough) => within.querySelector(selector);
  const all = (selector, within = walkthrough) => [...within.querySelectorAll(selector)];
  const steps = all("[data-step]"), links = all("[data-index]");
  const back = one("[data-back]"), next = one("[data-next]"), slider = one("[data-slider]"), live = one("[data-live]");
  let current = -1;

  function show(index, quiet) {
    index = Math.min(Math.max(index, 0), steps.length - 1);
    if (index === current) return;
    walkthrough.classList.toggle("back", index < current);
    current = index;
    steps.forEach((step, i) => { step.hidden = i !== index; });
    links.forEach((link, i) => i === index ? link.setAttribute("aria-current", "step") : link.removeAttribute("aria-current"));
    const title = one("h2", steps[index]).textContent;
    back.disabled = index === 0;
    next.disabled = index === steps.length - 1;
    slider.value = index + 1;
    slider.setAttribute("aria-valuetext", `${index + 1} of ${steps.length}: ${title}`);
    const list = links[index].closest("ol"), item = links[index].parentElement;
    list.scrollTo({ left: item.offsetLeft - (list.clientWidth - item.clientWidth) / 2 });
    if (quiet) return;
    live.textContent = `Step ${index + 1} of ${steps.length}: ${title}`;
    try { history.replaceState(null, "", "#" + steps[index].id); } catch { /* a frame without an address */ }
    const top = one(".step-nav").offsetTop;
    if (window.scrollY > top) window.scrollTo({ top });
  }

  links.forEach((link, i) => link.addEventListener("click", event => { event.preventDefault(); show(i); }));
  back.addEventListener("click", () => show(current - 1));
  next.addEventListener("click", () => show(current + 1));
  slider.addEventListener("input", () => show(slider.value - 1));
  document.addEventListener("keydown", event => {
    if (!walkthrough.getClientRects().length) return;  // removed from the page, or hidden
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (/^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)) return;
    const index = { ArrowRight: current + 1, PageDown: current + 1, ArrowLeft: current - 1, PageUp: current - 1, Home: 0, End: steps.length - 1 }[event.key];
    if (index === undefined) return;
    event.preventDefault();
    show(index);
  });
  let touch = null;
  walkthrough.addEventListener("touchstart", event => {
    const other = event.target.closest(".map-view, .maps, .probe, .scroll, .step-nav, input");
    touch = other || event.touches.length > 1 ? null : event.touches[0];
  }, { passive: true });
  walkthrough.addEventListener("touchend", event => {
    const end = event.changedTouches[0];
    if (touch && Math.abs(end.clientX - touch.clientX) > 70 && Math.abs(end.clientY - touch.clientY) < 50) show(current + (end.clientX < touch.clientX ? 1 : -1));
    touch = null;
  }, { passive: true });

  // Feature maps: the selected one enlarged, and on the face the receptive field of its marked value
  for (const maps of all("[data-maps]")) {
    const container = maps.closest(".show"), large = one("[data-large]", container), spot = one("[data-spot]", container);
    const field = one("[data-field]", container), output = one("[data-output]", container), kernel = one("[data-kernel]", container), cover = one("[data-cover]", container);
    const buttons = all("button", maps), [columns, rows] = maps.dataset.positions.split(" ").map(Number);
    const receptiveField = maps.dataset.receptiveField.split(" ").map(Number);
    let box = [0, 0, 1, 1], timer = 0;

    function mark(column, row) {
      const [x, y, width, height] = box, cell = width / columns;
      set(spot, { x: x + column * cell, y: y + row * (height / rows), width: cell, height: height / rows });
      if (receptiveField.length < 4) return;
      const [size, stride, offsetY, offsetX] = receptiveField;
      const side = Number(maps.dataset.side), line = side / 160;  // cut at the border of the face
      const start = (offset, index) => Math.max(offset + .5 + index * stride - size / 2, line), end = (offset, index) => Math.min(offset + .5 + index * stride + size / 2, side - line);
      const left = start(offsetX, column), top = start(offsetY, row);
      set(field, { x: left, y: top, width: Math.max(end(offsetX, column) - left, 0), height: Math.max(end(offsetY, row) - top, 0) });
    }
    function select(button) {
      stop();
      buttons.forEach(other => { other.setAttribute("aria-pressed", other === button); other.tabIndex = other === button ? 0 : -1; });
      box = button.dataset.box.split(" ").map(Number);
      large.setAttribute("viewBox", box.join(" "));
      output.textContent = button.dataset.description;
      if (kernel) kernel.replaceChildren(one(".kernel", button).cloneNode(true));
      mark(...button.dataset.peak.split(" ").map(Number));
    }
    const play = one("[data-play]", container);
    function stop() {
      cancelAnimationFrame(timer);
      timer = 0;
      if (play) play.textContent = "Slide the kernel";
      if (cover) cover.removeAttribute("d");
    }
    // Row by row: the part of the map after the current position is covered.
    function slide() {
      if (timer) { stop(); return; }
      const total = columns * rows, start = performance.now(), [x, y, width, height] = box;
      const frame = time => {
        const index = Math.floor((time - start) / 7000 * total);
        if (index >= total) { stop(); return; }
        const row = Math.floor(index / columns), column = index % columns, line = height / rows, right = x + (column + 1) * width / columns;
        mark(column, row);
        cover.setAttribute("d", `M${right} ${y + row * line}H${x + width}V${y + height}H${x}V${y + (row + 1) * line}H${right}Z`);
        timer = requestAnimationFrame(frame);
      };
      play.textContent = "Stop";
      timer = requestAnimationFrame(frame);
    }
    buttons.forEach((button, i) => {
      button.addEventListener("click", () => select(button));
      button.addEventListener("focus", () => select(button));
      button.addEventListener("pointerenter", event => { if (event.pointerType === "mouse") select(button); });
      button.addEventListener("keydown", event => {
        const inRow = getComputedStyle(maps).gridTemplateColumns.split(" ").length;
        const index = { ArrowRight: i + 1, ArrowLeft: i - 1, ArrowDown: i + inRow, ArrowUp: i - inRow, Home: 0, End: buttons.length - 1 }[event.key];
        if (event.key === "Escape") one("h2", button.closest("[data-step]")).focus();
        else if (index !== undefined && buttons[index]) buttons[index].focus();
        else if (index === undefined) return;
        event.preventDefault();
      });
    });
    large.addEventListener("pointermove", event => {
      if (timer) return;
      const area = large.getBoundingClientRect(), cell = (value, start, length, count) => Math.min(Math.max(Math.floor((value - start) / length * count), 0), count - 1);
      mark(cell(event.clientX, area.left, area.width, columns), cell(event.clientY, area.top, area.height, rows));
    });
    play?.addEventListener("click", slide);
    if (buttons.length) select(buttons[0]);
  }

  // One kernel on one patch: product by product, then the next position. Without motion all products are there at once.
  for (const arithmetic of all("[data-arithmetic]")) {
    const patches = JSON.parse(arithmetic.dataset.arithmetic), run = one("[data-run]", arithmetic);
    const groups = name => all("g", one(`[data-cells=${name}]`, arithmetic)), lines = all("[data-line]", arithmetic);
    const pixels = groups("pixels"), weights = groups("weights"), products = groups("products"), positions = all("[data-position]", arithmetic);
    const moves = !window.matchMedia("(prefers-reduced-motion: reduce)").matches, last = products.length + lines.length;
    let patch = patches.length - 1, done = last, timer = 0;

    function draw() {
      const values = patches[patch];
      pixels.forEach((group, i) => { const text = one("text", group); text.textContent = values.pixels[i]; text.setAttribute("class", values.dark[i] ? "on-dark" : "on-light"); one("rect", group).setAttribute("fill", values.grays[i]); });
      products.forEach((group, i) => { one("text", group).textContent = values.products[i]; group.classList.toggle("pending", i >= done); });
      for (const group of [pixels, weights, products]) group.forEach((each, i) => each.classList.toggle("current", i === done - 1 && timer !== 0));
      one("[data-sum]", arithmetic).textContent = values.sum;
      one("[data-total]", arithmetic).textContent = values.total;
      one("[data-relu]", arithmetic).textContent = values.relu;
      lines.forEach((line, i) => line.classList.toggle("pending", products.length + i >= done));
      positions.forEach((position, i) => position.classList.toggle("current", i === patch));
    }
    function forward() {
      if (moves && done < last) done += 1;
      else { patch = (patch + 1) % patches.length; done = moves && timer ? 0 : last; }
      draw();
    }
    function setRunning(running) {
      clearInterval(timer);
      timer = running ? setInterval(() => { if (arithmetic.getClientRects().length) forward(); }, moves ? 450 : 2500) : 0;
      run.textContent = running ? "Pause" : "Play";
      run.setAttribute("aria-pressed", running);
      draw();
    }
    run.addEventListener("click", () => setRunning(timer === 0));
    one("[data-forward]", arithmetic).addEventListener("click", () => { setRunning(false); done = last; forward(); });
    if (moves) setRunning(true);
  }

  // The crop: the value of the pixel under the pointer
  for (const probe of all("[data-values]")) {
    const output = one("[data-output]", probe.parentElement), { values, side } = probe.dataset;
    if (!values) { output.textContent = ""; continue; }
    probe.addEventListener("pointermove", event => {
      const area = probe.firstElementChild.getBoundingClientRect();
      const pixel = (value, start, length) => Math.min(Math.max(Math.floor((value - start) / length * side), 0), side - 1);
      const column = pixel(event.clientX, area.left, area.width), row = pixel(event.clientY, area.top, area.height), index = 2 * (row * side + column);
      output.textContent = `row ${row + 1}, column ${column + 1}: ${parseInt(values.slice(index, index + 2), 16)}`;
    });
  }

  for (const strength of all("[data-strength]")) {
    strength.addEventListener("input", () => all("[data-overlay]", strength.closest("article")).forEach(overlay => overlay.setAttribute("opacity", strength.value / 100)));
  }

  function set(element, values) {
    for (const [name, value] of Object.entries(values)) element.setAttribute(name, value);
  }

  walkthrough.classList.add("interactive");
  show(Math.max(steps.findIndex(step => "#" + step.id === location.hash), 0), true);
  if (location.hash) window.scrollTo({ top: 0, behavior: "instant" });  // an address with a step scrolls below the navigation
  window.addEventListener("hashchange", () => show(steps.findIndex(step => "#" + step.id === location.hash)));
}
