"use strict";
// Controls every walkthrough on the page. Without it all steps are on the page, one below the other.
// It may run again after another walkthrough was put on the page.
for (const walkthrough of document.querySelectorAll(".walkthrough:not(.moving)")) {
  const one = (name, within = walkthrough) => within.querySelector(name);
  const all = (name, within = walkthrough) => [...within.querySelectorAll(name)];
  const steps = all("[data-step]"), links = all("[data-go]");
  const back = one("[data-back]"), next = one("[data-next]"), slider = one("[data-slider]"), live = one("[data-live]");
  let now = -1;

  function show(place, quiet) {
    place = Math.min(Math.max(place, 0), steps.length - 1);
    if (place === now) return;
    walkthrough.classList.toggle("back", place < now);
    now = place;
    steps.forEach((step, i) => { step.hidden = i !== place; });
    links.forEach((link, i) => i === place ? link.setAttribute("aria-current", "step") : link.removeAttribute("aria-current"));
    const title = one("h2", steps[place]).textContent;
    back.disabled = place === 0;
    next.disabled = place === steps.length - 1;
    slider.value = place + 1;
    slider.setAttribute("aria-valuetext", `${place + 1} of ${steps.length}: ${title}`);
    const rail = links[place].closest("ol"), item = links[place].parentElement;
    rail.scrollTo({ left: item.offsetLeft - (rail.clientWidth - item.clientWidth) / 2 });
    if (quiet) return;
    live.textContent = `Step ${place + 1} of ${steps.length}: ${title}`;
    try { history.replaceState(null, "", "#" + steps[place].id); } catch { /* a frame without an address */ }
    const above = one(".rail").offsetTop;
    if (window.scrollY > above) window.scrollTo({ top: above });
  }

  links.forEach((link, i) => link.addEventListener("click", event => { event.preventDefault(); show(i); }));
  back.addEventListener("click", () => show(now - 1));
  next.addEventListener("click", () => show(now + 1));
  slider.addEventListener("input", () => show(slider.value - 1));
  document.addEventListener("keydown", event => {
    if (!walkthrough.getClientRects().length) return;  // taken off the page, or not shown
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (/^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)) return;
    const way = { ArrowRight: now + 1, PageDown: now + 1, ArrowLeft: now - 1, PageUp: now - 1, Home: 0, End: steps.length - 1 }[event.key];
    if (way === undefined) return;
    event.preventDefault();
    show(way);
  });
  let from = null;
  walkthrough.addEventListener("touchstart", event => {
    const held = event.target.closest(".lens, .maps, .probe, .scroll, .rail, input");
    from = held || event.touches.length > 1 ? null : event.touches[0];
  }, { passive: true });
  walkthrough.addEventListener("touchend", event => {
    const to = event.changedTouches[0];
    if (from && Math.abs(to.clientX - from.clientX) > 70 && Math.abs(to.clientY - from.clientY) < 50) show(now + (to.clientX < from.clientX ? 1 : -1));
    from = null;
  }, { passive: true });

  // Maps: one of them large, and on the face the square that its marked place has seen
  for (const maps of all("[data-maps]")) {
    const shown = maps.closest(".show"), large = one("[data-large]", shown), spot = one("[data-spot]", shown);
    const field = one("[data-field]", shown), told = one("[data-told]", shown), kernel = one("[data-kernel]", shown), cover = one("[data-cover]", shown);
    const buttons = all("button", maps), [across, down] = maps.dataset.places.split(" ").map(Number);
    const reach = maps.dataset.reach.split(" ").map(Number);
    let box = [0, 0, 1, 1], timer = 0, words = "";

    function mark(column, row) {
      const [x, y, width, height] = box, unit = width / across;
      set(spot, { x: x + column * unit, y: y + row * (height / down), width: unit, height: height / down });
      if (reach.length < 4) return;
      const [size, stride, above, beside] = reach;
      const side = Number(maps.dataset.side), line = side / 160;  // what lies outside the face is not drawn
      const from = (first, place) => Math.max(first + .5 + place * stride - size / 2, line), to = (first, place) => Math.min(first + .5 + place * stride + size / 2, side - line);
      const left = from(beside, column), top = from(above, row);
      set(field, { x: left, y: top, width: Math.max(to(beside, column) - left, 0), height: Math.max(to(above, row) - top, 0) });
    }
    function choose(button) {
      stop();
      buttons.forEach(other => { other.setAttribute("aria-pressed", other === button); other.tabIndex = other === button ? 0 : -1; });
      box = button.dataset.box.split(" ").map(Number);
      large.setAttribute("viewBox", box.join(" "));
      told.textContent = words = button.dataset.words;
      if (kernel) kernel.replaceChildren(one(".kernel", button).cloneNode(true));
      mark(...button.dataset.peak.split(" ").map(Number));
    }
    function stop() {
      cancelAnimationFrame(timer);
      timer = 0;
      if (cover) cover.removeAttribute("d");
    }
    // Row by row, as one would read: the part that has not been reached yet is covered.
    function slide() {
      if (timer) { stop(); return; }
      const total = across * down, begin = performance.now(), [x, y, width, height] = box;
      const frame = time => {
        const place = Math.floor((time - begin) / 7000 * total);
        if (place >= total) { stop(); return; }
        const row = Math.floor(place / across), column = place % across, line = height / down, at = x + (column + 1) * width / across;
        mark(column, row);
        cover.setAttribute("d", `M${at} ${y + row * line}H${x + width}V${y + height}H${x}V${y + (row + 1) * line}H${at}Z`);
        timer = requestAnimationFrame(frame);
      };
      timer = requestAnimationFrame(frame);
    }
    buttons.forEach((button, i) => {
      button.addEventListener("click", () => choose(button));
      button.addEventListener("focus", () => choose(button));
      button.addEventListener("pointerenter", event => { if (event.pointerType === "mouse") choose(button); });
      button.addEventListener("keydown", event => {
        const columns = getComputedStyle(maps).gridTemplateColumns.split(" ").length;
        const way = { ArrowRight: i + 1, ArrowLeft: i - 1, ArrowDown: i + columns, ArrowUp: i - columns, Home: 0, End: buttons.length - 1 }[event.key];
        if (event.key === "Escape") one("h2", button.closest("[data-step]")).focus();
        else if (way !== undefined && buttons[way]) buttons[way].focus();
        else if (way === undefined) return;
        event.preventDefault();
      });
    });
    large.addEventListener("pointermove", event => {
      if (timer) return;
      const area = large.getBoundingClientRect(), at = (value, begin, length, many) => Math.min(Math.max(Math.floor((value - begin) / length * many), 0), many - 1);
      mark(at(event.clientX, area.left, area.width, across), at(event.clientY, area.top, area.height, down));
    });
    one("[data-play]", shown)?.addEventListener("click", slide);
    if (buttons.length) choose(buttons[0]);
  }

  // The crop: the number behind each dot
  for (const probe of all("[data-values]")) {
    const told = one("[data-told]", probe.parentElement), { values, side } = probe.dataset;
    if (!values) { told.textContent = ""; continue; }
    probe.addEventListener("pointermove", event => {
      const area = probe.firstElementChild.getBoundingClientRect();
      const at = (value, begin, length) => Math.min(Math.max(Math.floor((value - begin) / length * side), 0), side - 1);
      const column = at(event.clientX, area.left, area.width), row = at(event.clientY, area.top, area.height), place = 2 * (row * side + column);
      told.textContent = `row ${row + 1}, column ${column + 1}: ${parseInt(values.slice(place, place + 2), 16)}`;
    });
  }

  for (const strength of all("[data-strength]")) {
    strength.addEventListener("input", () => all("[data-heat]", strength.closest("article")).forEach(heat => heat.setAttribute("opacity", strength.value / 100)));
  }

  function set(element, values) {
    for (const [name, value] of Object.entries(values)) element.setAttribute(name, value);
  }

  walkthrough.classList.add("moving");
  show(Math.max(steps.findIndex(step => "#" + step.id === location.hash), 0), true);
  if (location.hash) window.scrollTo({ top: 0, behavior: "instant" });  // an address scrolls to its step, under the rail
  window.addEventListener("hashchange", () => show(steps.findIndex(step => "#" + step.id === location.hash)));
}
