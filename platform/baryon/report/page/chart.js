// Line charts and stacked areas in SVG, drawn from the page's data (see charts.py).
"use strict";
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const HEIGHT = 290, TOP = 10, BOTTOM = 40, RIGHT = 14;
  const PALETTE = 10;
  const MOST_TICKS = 100;
  const PEAK = 4; // so many times the usual values is left out of the scale, until it is asked for

  function make(name, attributes = {}, ...children) {
    const element = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children);
    return element;
  }

  function html(name, attributes = {}, ...children) {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children);
    return element;
  }

  // Four digits at most, as people write them.
  function short(value) {
    if (value === null || value === undefined) return "none";
    if (value === 0) return "0";
    const size = Math.abs(value);
    if (size >= 1e5 || size < 1e-3) {
      const [digits, power] = value.toExponential(2).split("e");
      return `${parseFloat(digits)}e${parseInt(power, 10)}`;
    }
    return String(parseFloat(value.toPrecision(4)));
  }

  function duration(seconds) {
    if (seconds < 60) return `${short(seconds)} s`;
    if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
    return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`;
  }

  // The unit in which a time axis is labelled.
  function timeUnit(seconds) {
    return [[3 * 86400, "days", 86400], [2 * 3600, "hours", 3600], [120, "minutes", 60], [0, "seconds", 1]]
      .find(([least]) => seconds >= least);
  }

  function linearTicks(low, high, count) {
    const raw = (high - low) / Math.max(1, count) || 1;
    const power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].find((factor) => factor * power >= raw) * power;
    const first = Math.ceil(low / step), number = Math.floor(high / step + 1e-9) - first;
    if (!(number >= 0 && number <= MOST_TICKS)) return [low]; // steps below what a float resolves
    return Array.from({ length: number + 1 }, (_, index) => (first + index) * step);
  }

  function logTicks(low, high, count) {
    const first = Math.floor(Math.log10(low)), last = Math.ceil(Math.log10(high));
    const within = (tick) => tick >= low * 0.999 && tick <= high * 1.001;
    for (const factors of [[1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 2, 5], [1, 3], [1]]) {
      const ticks = [];
      for (let power = first; power <= last; power += 1)
        for (const factor of factors) ticks.push(factor * 10 ** power);
      const shown = ticks.filter(within);
      if (shown.length >= 2 && shown.length <= count + 2) return shown;
    }
    const decades = [];
    const every = Math.ceil((last - first) / count) || 1;
    for (let power = first; power <= last; power += every) decades.push(10 ** power);
    const shown = decades.filter(within);
    return shown.length >= 2 ? shown : linearTicks(low, high, count).filter((tick) => tick > 0);
  }

  // Exponential moving average, corrected for its start.
  function smoothed(values, weight) {
    let sum = 0, norm = 0;
    return values.map((value) => {
      if (value === null) return null;
      sum = weight * sum + (1 - weight) * value;
      norm = weight * norm + (1 - weight);
      return sum / norm;
    });
  }

  class Chart {
    constructor(spec) {
      this.spec = spec;
      this.state = { log: spec.log, axis: "step", hidden: new Set(), smooth: 0, range: null, peaks: false };
      this.at = null;
      this.build();
    }

    update(spec) {
      const changed = JSON.stringify(spec) !== JSON.stringify(this.spec);
      this.spec = spec;
      if (changed) { this.legend(); this.draw(); }
    }

    build() {
      const { title, unit, stacked } = this.spec;
      this.figure = html("figure", { class: "chart", id: `chart-${this.spec.id}` });
      this.controls = html("div", { class: "controls" });
      const head = html("div", { class: "chart-head" }, html("h3", {}, title), this.controls);
      this.svg = make("svg", {
        tabindex: "0", role: "img", height: HEIGHT, "data-unit": unit,
        "aria-label": `${title}; arrow keys read the values`,
      });
      this.tip = html("div", { class: "tip", hidden: "" });
      this.spoken = html("div", { class: "unseen", "aria-live": "polite" });
      this.keys = html("div", { class: "legend" });
      this.plot = html("div", { class: "plot" }, this.svg, this.tip);
      this.figure.append(head, this.plot, this.keys, this.spoken);
      this.toggle("log", "logarithmic scale", () => this.state.log, () => {
        this.state.log = !this.state.log;
      }, stacked);
      this.toggle("time", "over time instead of steps", () => this.state.axis === "seconds", () => {
        this.state.axis = this.state.axis === "seconds" ? "step" : "seconds";
        this.state.range = null;
      });
      if (!stacked) this.slider();
      this.peaks = html("button", {
        type: "button", hidden: "", "aria-pressed": "false", title: "the scale reaches up to rare peaks",
      }, "peaks");
      this.peaks.addEventListener("click", () => {
        this.state.peaks = !this.state.peaks;
        this.peaks.setAttribute("aria-pressed", String(this.state.peaks));
        this.draw();
      });
      this.controls.append(this.peaks);
      this.reset = html("button", { type: "button", hidden: "" }, "whole range");
      this.reset.addEventListener("click", () => { this.state.range = null; this.draw(); });
      this.controls.append(this.reset);
      this.legend();
      this.listen();
      new ResizeObserver(() => this.draw()).observe(this.plot);
    }

    toggle(label, title, pressed, act, left_out = false) {
      if (left_out) return;
      const button = html("button", { type: "button", title, "aria-pressed": String(pressed()) }, label);
      button.addEventListener("click", () => {
        act();
        button.setAttribute("aria-pressed", String(pressed()));
        this.draw();
      });
      this.controls.append(button);
    }

    slider() {
      const input = html("input", {
        type: "range", min: "0", max: "0.98", step: "0.02", value: "0",
        "aria-label": `smoothing of ${this.spec.title}`,
      });
      input.addEventListener("input", () => { this.state.smooth = Number(input.value); this.draw(); });
      this.controls.append(html("label", {}, "smooth ", input));
    }

    legend() {
      this.keys.replaceChildren();
      const many = this.spec.series.length > 12;
      this.keys.classList.toggle("many", many);
      if (this.spec.series.length < 2) return;
      for (const series of this.spec.series) {
        const shown = !this.state.hidden.has(series.name);
        const swatch = html("span", { class: `swatch${series.dots ? " dotted" : ""}` });
        swatch.style.setProperty("--colour", this.colour(series));
        const button = html("button", { type: "button", "aria-pressed": String(shown) }, swatch, series.name);
        button.addEventListener("click", () => {
          const { hidden } = this.state;
          if (hidden.has(series.name)) hidden.delete(series.name); else hidden.add(series.name);
          button.setAttribute("aria-pressed", String(!hidden.has(series.name)));
          this.draw();
        });
        button.addEventListener("pointerenter", () => this.emphasise(series.name));
        button.addEventListener("pointerleave", () => this.emphasise(null));
        this.keys.append(button);
      }
    }

    emphasise(name) {
      for (const line of this.svg.querySelectorAll("[data-series]"))
        line.classList.toggle("faint", name !== null && line.dataset.series !== name);
    }

    // A rank among many is a shade between the worst and the best; else one of the palette.
    colour(series) {
      if (series.shade !== undefined && series.shade !== null)
        return `color-mix(in oklab, var(--best) ${Math.round(100 * series.shade)}%, var(--worst))`;
      return `var(--s${series.colour % PALETTE})`;
    }

    shown() {
      const axis = this.state.axis, [from, to] = this.state.range ?? [-Infinity, Infinity];
      const visible = this.spec.series.filter((one) => !this.state.hidden.has(one.name));
      return visible.map((one) => {
        const ys = this.state.smooth > 0 && !one.dots ? smoothed(one.y, this.state.smooth) : one.y;
        const xs = [], y = [], raw = [];
        one[axis].forEach((x, index) => {
          if (x !== null && x >= from && x <= to) { xs.push(x); y.push(ys[index]); raw.push(one.y[index]); }
        });
        return { ...one, xs, ys: y, raw };
      });
    }

    draw() {
      const width = this.plot.clientWidth;
      if (!width) return;
      this.at = null;
      this.tip.hidden = true;
      this.svg.setAttribute("width", width);
      this.svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
      this.svg.replaceChildren();
      this.reset.hidden = this.state.range === null;
      this.lines = this.shown();
      if (this.spec.stacked) this.stack();
      const values = this.lines.flatMap((line) => [...line.ys, ...line.raw, ...(line.base ?? [])]).filter((y) => y !== null);
      const xs = this.lines.flatMap((line) => line.xs);
      if (!values.length) {
        this.svg.append(make("text", { x: width / 2, y: HEIGHT / 2, class: "axis middle" }, "nothing to show"));
        return;
      }
      const positive = values.filter((y) => y > 0);
      const log = this.state.log && positive.length > 0;
      let [low, high] = extent(log ? positive : values);
      const usual = log ? high : usually(this.lines);
      const peaked = high > PEAK * usual && usual > 0;
      this.peaks.hidden = !peaked;
      if (peaked && !this.state.peaks) high = 1.3 * usual;
      if (this.spec.stacked || (!log && low > 0 && low < high * 0.6)) low = Math.min(0, low);
      if (low === high) { low -= Math.abs(low) * 0.1 || 1; high += Math.abs(high) * 0.1 || 1; }
      if (log) { low = Math.max(low, high * 1e-15); const pad = (high / low) ** 0.04; low /= pad; high *= pad; }
      else { const pad = (high - low) * 0.04; high += pad; if (low !== 0) low -= pad; }
      const ticks = log ? logTicks(low, high, 6) : linearTicks(low, high, 5);
      const left = 18 + 7.2 * Math.max(...ticks.map((tick) => short(tick).length)) + 8;
      const [first, last] = extent(xs);
      const span = last - first || 1;
      this.x = (x) => left + ((x - first) / span) * (width - left - RIGHT);
      this.back = (px) => first + ((px - left) / (width - left - RIGHT)) * span;
      const rise = (y) => (log ? Math.log(y / low) / Math.log(high / low) : (y - low) / (high - low));
      this.y = (y) => TOP + (1 - rise(y)) * (HEIGHT - TOP - BOTTOM);
      this.left = left;
      this.log = log;
      this.frame(width, ticks, first, last);
      const inside = make("clipPath", { id: `inside-${this.spec.id}` },
        make("rect", { x: left - 6, y: TOP - 6, width: width - left - RIGHT + 12, height: HEIGHT - TOP - BOTTOM + 12 }));
      this.svg.append(inside);
      for (const line of this.lines) this.line(line);
      this.cross = make("g", { class: "cross", visibility: "hidden" });
      this.svg.append(this.cross);
    }

    stack() {
      const sums = new Map();
      for (const line of this.lines) {
        line.raw = [...line.ys];
        line.base = line.xs.map((x) => sums.get(x) ?? 0);
        line.ys = line.ys.map((y, index) => line.base[index] + (y ?? 0));
        line.xs.forEach((x, index) => sums.set(x, line.ys[index]));
      }
    }

    frame(width, ticks, first, last) {
      const bottom = HEIGHT - BOTTOM;
      for (const tick of ticks) {
        const y = this.y(tick);
        this.svg.append(
          make("line", { x1: this.left, x2: width - RIGHT, y1: y, y2: y, class: "grid" }),
          make("text", { x: this.left - 8, y: y + 4, class: "axis end" }, short(tick)),
        );
      }
      const [, unit, size] = this.state.axis === "step" ? [0, "step", 1] : timeUnit(last);
      for (const tick of linearTicks(first / size, last / size, Math.max(2, Math.floor(width / 85)))) {
        const x = this.x(tick * size);
        if (x > width - RIGHT + 1 || (this.state.axis === "step" && tick % 1)) continue;
        this.svg.append(
          make("line", { x1: x, x2: x, y1: bottom, y2: bottom + 4, class: "grid" }),
          make("text", { x, y: bottom + 17, class: "axis middle" }, short(tick)),
        );
      }
      const middle = (this.left + width - RIGHT) / 2;
      this.svg.append(
        make("text", { x: middle, y: HEIGHT - 5, class: "axis middle label" }, unit),
        make("text", {
          x: 0, y: 0, class: "axis middle label", transform: `translate(11 ${(TOP + bottom) / 2}) rotate(-90)`,
        }, this.spec.unit),
      );
    }

    line(line) {
      const group = make("g", { "clip-path": `url(#inside-${this.spec.id})`, "data-series": line.name, class: line.thin ? "thin" : "" });
      group.style.setProperty("--colour", this.colour(line));
      if (this.spec.stacked) {
        const upper = line.xs.map((x, i) => `${this.x(x).toFixed(1)} ${this.y(line.ys[i]).toFixed(1)}`);
        const lower = line.xs.map((x, i) => `${this.x(x).toFixed(1)} ${this.y(line.base[i]).toFixed(1)}`);
        group.append(make("path", { d: `M${[...upper, ...lower.reverse()].join("L")}Z`, class: "area" }));
      } else {
        if (this.state.smooth > 0 && !line.dots)
          group.append(make("path", { d: this.path(line.xs, line.raw), class: "line raw" }));
        group.append(make("path", { d: this.path(line.xs, line.ys), class: line.dots ? "line dashed" : "line" }));
        if (line.dots || line.xs.length === 1)
          line.xs.forEach((x, i) => {
            if (this.visible(line.ys[i]))
              group.append(make("circle", { cx: this.x(x), cy: this.y(line.ys[i]), r: 3.5, class: "dot" }));
          });
      }
      this.svg.append(group);
    }

    visible(y) { return y !== null && !(this.log && y <= 0); }

    path(xs, ys) {
      let path = "", pen = "M";
      xs.forEach((x, i) => {
        if (!this.visible(ys[i])) { pen = "M"; return; }
        path += `${pen}${this.x(x).toFixed(1)} ${this.y(ys[i]).toFixed(1)}`;
        pen = "L";
      });
      return path;
    }

    listen() {
      let begun = null;
      const place = (event) => event.clientX - this.svg.getBoundingClientRect().left;
      this.svg.addEventListener("pointerdown", (event) => {
        if (event.pointerType === "mouse" && event.button === 0) begun = place(event);
        this.point(place(event), event);
      });
      this.svg.addEventListener("pointermove", (event) => {
        this.point(place(event), event);
        if (begun !== null) this.band(begun, place(event));
      });
      this.svg.addEventListener("pointerup", (event) => {
        const end = place(event);
        if (begun !== null && Math.abs(end - begun) > 8 && this.back) {
          this.state.range = [this.back(Math.min(begun, end)), this.back(Math.max(begun, end))];
          this.draw();
        }
        begun = null;
        this.band(null);
      });
      this.svg.addEventListener("pointerleave", () => { begun = null; this.band(null); this.point(null); });
      this.svg.addEventListener("dblclick", () => { this.state.range = null; this.draw(); });
      this.svg.addEventListener("blur", () => this.point(null));
      this.svg.addEventListener("keydown", (event) => this.key(event));
    }

    band(from, to) {
      this.svg.querySelector(".band")?.remove();
      if (from === null || from === undefined || !this.x) return;
      this.svg.append(make("rect", {
        x: Math.min(from, to), width: Math.abs(to - from), y: TOP, height: HEIGHT - TOP - BOTTOM, class: "band",
      }));
    }

    key(event) {
      const xs = [...new Set((this.lines ?? []).flatMap((line) => line.xs))].sort((a, b) => a - b);
      if (!xs.length) return;
      const now = this.at === null ? -1 : xs.indexOf(this.at);
      const next = {
        ArrowRight: Math.min(xs.length - 1, now + 1), ArrowLeft: Math.max(0, now - 1),
        Home: 0, End: xs.length - 1,
      }[event.key];
      if (event.key === "Escape") this.point(null);
      if (next === undefined) return;
      event.preventDefault();
      this.show(xs[next]);
      this.spoken.textContent = this.tip.innerText.replaceAll("\n", ", ");
    }

    point(px) {
      if (px === null || !this.back || !this.lines?.length) {
        if (this.cross) this.cross.setAttribute("visibility", "hidden");
        this.tip.hidden = true;
        this.at = null;
        return;
      }
      const wanted = this.back(px);
      let best = null;
      for (const line of this.lines) {
        const x = line.xs[nearest(line.xs, wanted)];
        if (x !== undefined && (best === null || Math.abs(x - wanted) < Math.abs(best - wanted))) best = x;
      }
      if (best !== null && best !== this.at) this.show(best);
    }

    // The values at a step, beside a vertical line.
    show(x) {
      this.at = x;
      this.cross.replaceChildren(
        make("line", { x1: this.x(x), x2: this.x(x), y1: TOP, y2: HEIGHT - BOTTOM, class: "hair" }),
      );
      const reach = this.back(this.x(x) + 12) - x;
      let rows = [];
      for (const line of this.lines) {
        const index = nearest(line.xs, x);
        if (index < 0 || Math.abs(line.xs[index] - x) > reach || !this.visible(line.ys[index])) continue;
        rows.push({ line, value: line.raw[index], y: line.ys[index] });
        const dot = make("circle", { cx: this.x(line.xs[index]), cy: Math.max(TOP, this.y(line.ys[index])), r: 4, class: "dot" });
        dot.style.setProperty("--colour", this.colour(line));
        this.cross.append(dot);
      }
      const all = rows.length;
      if (all > 9) rows = [...rows].sort((a, b) => a.value - b.value).slice(0, 8);
      const where = this.state.axis === "step" ? `step ${short(x)}` : duration(x);
      const lines = rows.map(({ line, value, y }) => {
        const swatch = html("span", { class: "swatch" });
        swatch.style.setProperty("--colour", this.colour(line));
        const name = this.spec.series.length > 1 ? `${line.name} ` : "";
        const measured = y === value || this.spec.stacked ? "" : ` (measured ${short(value)})`;
        const told = this.spec.stacked ? value : y;
        return html("div", {}, swatch, name, html("strong", {}, short(told)), ` ${this.spec.unit === "loss" ? "" : this.spec.unit}${measured}`);
      });
      if (all > rows.length) lines.push(html("div", {}, `and ${all - rows.length} higher`));
      this.tip.replaceChildren(html("div", { class: "where" }, where), ...lines);
      this.cross.setAttribute("visibility", "visible");
      this.tip.hidden = false;
      const right = this.x(x) > this.plot.clientWidth / 2;
      const shift = right ? this.x(x) - this.tip.offsetWidth - 12 : this.x(x) + 12;
      this.tip.style.left = `${Math.max(0, Math.min(shift, this.plot.clientWidth - this.tip.offsetWidth))}px`;
    }
  }

  // The value that all but a few stay below, in the line that goes highest.
  function usually(lines) {
    return Math.max(...lines.map((line) => {
      const sorted = line.ys.filter((y) => y !== null).sort((a, b) => a - b);
      return sorted.length < 20 ? Infinity : sorted[Math.floor(0.96 * (sorted.length - 1))];
    }));
  }

  function extent(values) {
    let low = Infinity, high = -Infinity;
    for (const value of values) { if (value < low) low = value; if (value > high) high = value; }
    return [low, high];
  }

  function nearest(sorted, wanted) {
    let low = 0, high = sorted.length - 1;
    if (high < 0) return -1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sorted[middle] < wanted) low = middle + 1; else high = middle;
    }
    return low > 0 && wanted - sorted[low - 1] <= sorted[low] - wanted ? low - 1 : low;
  }

  const drawn = new Map();

  // Draws what is new, updates what is there; what its user chose (scale, zoom, lines) stays.
  window.baryonCharts = (charts) => {
    const place = document.getElementById("charts");
    if (!place) return;
    for (const spec of charts) {
      if (drawn.has(spec.id)) { drawn.get(spec.id).update(spec); continue; }
      const chart = new Chart(spec);
      drawn.set(spec.id, chart);
      place.append(chart.figure);
    }
  };
  window.baryonShort = short;
  window.baryonMake = { svg: make, html };
})();
