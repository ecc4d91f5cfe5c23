// Parallel coordinates of a sweep: a vertical axis for each swept key and one for the metric.
"use strict";
(() => {
  const HEIGHT = 330, TOP = 44, BOTTOM = 26, SIDE = 56, GAP = 118;
  const { svg: make, html } = window.baryonMake;
  const short = window.baryonShort;

  // Where on an axis a value lies, from 0 (below) to 1.
  function scale(values, numeric) {
    if (!numeric) {
      const kinds = [...new Set(values.map(String))].sort();
      const at = (value) => (kinds.length < 2 ? 0.5 : kinds.indexOf(String(value)) / (kinds.length - 1));
      return { at, ticks: kinds.map((kind) => [at(kind), kind]) };
    }
    const low = Math.min(...values), high = Math.max(...values);
    const log = low > 0 && high / low >= 20;
    const place = (value) => (log ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low));
    const at = (value) => (high === low ? 0.5 : place(value));
    const distinct = [...new Set(values)].sort((a, b) => a - b);
    const shown = distinct.length <= 6 ? distinct : [0, 1, 2, 3, 4].map((i) => low + ((high - low) * i) / 4);
    const ticks = log && distinct.length > 6 ? [low, Math.sqrt(low * high), high] : shown;
    return { at, ticks: ticks.map((value) => [at(value), short(value)]) };
  }

  function draw(place, data) {
    const jobs = data.jobs.filter((job) => job.value !== null);
    const names = [...data.axes, data.metric];
    const { paddingLeft, paddingRight } = getComputedStyle(place);
    const inside = place.clientWidth - parseFloat(paddingLeft) - parseFloat(paddingRight);
    const width = Math.max(inside, 2 * SIDE + GAP * (names.length - 1));
    const value = (job, index) => (index < data.axes.length ? job.choices[index] : job.value);
    const axes = names.map((name, index) => {
      const values = jobs.map((job) => value(job, index)).filter((one) => one !== null);
      return { name, ...scale(values, values.every((one) => typeof one === "number")) };
    });
    const x = (index) => SIDE + (index * (width - 2 * SIDE)) / Math.max(1, names.length - 1);
    const y = (share) => TOP + (1 - share) * (HEIGHT - TOP - BOTTOM);
    const picture = make("svg", {
      width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", tabindex: "0",
      "aria-label": `Parallel coordinates of ${jobs.length} jobs over ${names.join(", ")}; arrow keys go from the best to the worst`,
    });
    const ordered = [...jobs].sort((a, b) => a.rank - b.rank);
    const lines = new Map();
    for (const job of [...ordered].reverse()) {
      const points = names.map((_, index) => {
        const own = value(job, index);
        return own === null ? null : `${x(index).toFixed(1)} ${y(axes[index].at(own)).toFixed(1)}`;
      });
      const d = `M${points.filter((point) => point !== null).join("L")}`;
      const line = make("path", { d, class: job.rank === 0 ? "way best" : "way" });
      line.style.setProperty("--colour", `color-mix(in oklab, var(--best) ${Math.round(100 * job.shade)}%, var(--worst))`);
      const wide = make("path", { d, class: "grip" });
      wide.addEventListener("pointerenter", () => show(job));
      wide.addEventListener("pointerleave", () => show(null));
      wide.addEventListener("pointerdown", () => show(job));
      lines.set(job, line);
      picture.append(line, wide);
    }
    axes.forEach((axis, index) => {
      const end = index === axes.length - 1;
      const side = index === 0 ? "start" : end ? "end" : "middle";
      const label = index === 0 ? 4 : end ? width - 4 : x(index);
      picture.append(
        make("line", { x1: x(index), x2: x(index), y1: TOP, y2: HEIGHT - BOTTOM, class: "pole" }),
        make("text", { x: label, y: TOP - 26, class: `axis strong ${side}` }, last(axis.name)),
      );
      if (axis.name.includes("."))
        picture.append(make("text", { x: label, y: TOP - 12, class: `axis ${side}` }, head(axis.name)));
      const shift = end ? -7 : 7;
      for (const [at, text] of axis.ticks)
        picture.append(make("text", { x: x(index) + shift, y: y(at) + 4, class: `axis halo ${end ? "end" : ""}` }, text));
    });
    const said = html("p", { class: "soft", "aria-live": "polite" }, resting());
    function resting() {
      const others = data.jobs.length - jobs.length;
      return `Bluer is better; the best is drawn thick.${others ? ` ${others} without a value are left out.` : ""}`;
    }
    function show(job) {
      for (const [other, line] of lines) {
        line.classList.toggle("faint", job !== null && other !== job);
        line.classList.toggle("chosen", other === job);
      }
      for (const row of document.querySelectorAll("tr[data-job]"))
        row.classList.toggle("chosen", job !== null && row.dataset.job === String(job.name));
      said.textContent = job === null ? resting()
        : `${job.name}: ${names.map((name, i) => `${name} ${typeof value(job, i) === "number" ? short(value(job, i)) : value(job, i)}`).join(", ")}`;
    }
    let at = -1;
    picture.addEventListener("keydown", (event) => {
      const move = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (event.key === "Escape") { at = -1; show(null); }
      if (move === undefined || !ordered.length) return;
      event.preventDefault();
      at = Math.max(0, Math.min(ordered.length - 1, at + move));
      show(ordered[at]);
    });
    picture.addEventListener("blur", () => { at = -1; show(null); });
    place.replaceChildren(html("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Parameters vs. metric" }, picture), said);
  }

  const last = (key) => key.slice(key.lastIndexOf(".") + 1).replaceAll("_", " ");
  const head = (key) => key.slice(0, key.lastIndexOf("."));

  let observer = null, known = "";
  window.baryonParallel = (data) => {
    const place = document.getElementById("parallel");
    if (!place || !data) return;
    const text = JSON.stringify(data);
    if (text === known) return;
    known = text;
    observer?.disconnect();
    let width = 0;
    observer = new ResizeObserver(() => {
      if (place.clientWidth === width) return;
      width = place.clientWidth;
      draw(place, data);
    });
    observer.observe(place);
  };
})();
