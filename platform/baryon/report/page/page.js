// What every page does: draw its data, change between light and dark, enlarge pictures, copy texts;
// and, served by `baryon watch`, follow the run without losing place or choices.
"use strict";
(() => {
  const root = document.documentElement;
  const EVERY = 2000;

  function data(within) {
    return JSON.parse(within.getElementById("data").textContent);
  }

  function theme() {
    const button = document.getElementById("theme");
    const dark = window.matchMedia("(prefers-color-scheme: dark)");
    const is = () => (root.dataset.theme ? root.dataset.theme === "dark" : dark.matches);
    // One text, pressed or not: a label that changes with the state would be read as its opposite.
    const say = () => button.setAttribute("aria-pressed", String(is()));
    try { // a page from a file may have no storage
      const kept = localStorage.getItem("baryon-theme");
      if (kept === "dark" || kept === "light") root.dataset.theme = kept;
    } catch { /* then the system's choice holds */ }
    button.addEventListener("click", () => {
      root.dataset.theme = is() ? "light" : "dark";
      try { localStorage.setItem("baryon-theme", root.dataset.theme); } catch { /* as above */ }
      say();
    });
    dark.addEventListener("change", say);
    button.hidden = false;
    say();
  }

  function part(name, properties, ...children) {
    const element = Object.assign(document.createElement(name), properties);
    element.append(...children);
    return element;
  }

  // A picture fills the window when it is pressed, and has its own size when it is pressed again,
  // to be moved about; Escape, its button or a press beside it close it.
  function enlarge() {
    const dialog = document.getElementById("enlarged");
    document.addEventListener("click", (event) => {
      const button = event.target.closest("button.enlarge");
      if (!button) return;
      const image = button.querySelector("img").cloneNode();
      const whole = part("button", { type: "button", ariaPressed: "false" }, "full size");
      const close = part("button", { type: "button" }, "close");
      const save = part("a", { href: image.src, download: "figure.png" }, "download PNG");
      const grow = () => whole.setAttribute("aria-pressed", String(dialog.classList.toggle("whole")));
      image.addEventListener("click", grow);
      whole.addEventListener("click", grow);
      close.addEventListener("click", () => dialog.close());
      dialog.classList.remove("whole");
      dialog.replaceChildren(part("div", { className: "tools" }, save, whole, close), image);
      dialog.showModal();
      close.focus();
    });
    dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  }

  function copy() {
    document.addEventListener("click", async (event) => {
      const button = event.target.closest("button.copy");
      if (!button) return;
      const text = document.getElementById(button.dataset.of).textContent;
      try { await navigator.clipboard.writeText(text); button.textContent = "copied"; }
      catch { getSelection().selectAllChildren(document.getElementById(button.dataset.of)); }
    });
  }

  function show(found) {
    window.baryonCharts(found.charts);
    window.baryonParallel(found.parallel);
  }

  const before = new Map(); // each part as the server wrote it
  function remember(within) {
    for (const part of within.querySelectorAll("[data-part]")) before.set(part.id, part.outerHTML);
  }

  // Parts that are the same stay untouched; in others, what was unfolded stays so.
  function take(text) {
    const fresh = new DOMParser().parseFromString(text, "text/html");
    document.title = fresh.title;
    const there = new Set([...fresh.querySelectorAll("[data-part]")].map((part) => part.id));
    const found = data(fresh);
    for (const part of fresh.querySelectorAll("[data-part]")) {
      if (before.get(part.id) === part.outerHTML) continue;
      before.set(part.id, part.outerHTML);
      const old = document.getElementById(part.id);
      if (!old) { // in the place it has on the new page
        let next = part.nextElementSibling;
        while (next && !document.getElementById(next.id)) next = next.nextElementSibling;
        document.querySelector("main").insertBefore(document.adoptNode(part), next ? document.getElementById(next.id) : null);
        window.baryonTables(document);
        continue;
      }
      const open = [...old.querySelectorAll("details[open]")].map((one) => one.id);
      const checked = [...old.querySelectorAll("input[type=checkbox]")].map((one) => [one.id, one.checked]);
      const scrolled = [...old.querySelectorAll(".scroll")].map((one) => one.scrollLeft);
      const focused = old.contains(document.activeElement) ? document.activeElement.id : "";
      old.replaceWith(document.adoptNode(part));
      for (const id of open) if (id) document.getElementById(id)?.setAttribute("open", "");
      for (const [id, on] of checked) {
        const box = id && document.getElementById(id);
        if (box && box.checked !== on) box.click();
      }
      part.querySelectorAll(".scroll").forEach((one, index) => { one.scrollLeft = scrolled[index] ?? 0; });
      if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
    }
    for (const part of document.querySelectorAll("[data-part]"))
      if (!there.has(part.id)) part.remove();
    window.baryonTables(document);
    show(found);
    return fresh.body.dataset.going === "yes";
  }

  function follow() {
    const live = document.getElementById("live");
    if (!live) return;
    let tag = live.dataset.tag, failures = 0;
    const say = (text) => { if (live.textContent !== text) live.textContent = text; };
    async function look() {
      try {
        const answer = await fetch("/", { headers: { "If-None-Match": tag }, cache: "no-store" });
        if (answer.status === 200) {
          tag = answer.headers.get("ETag");
          if (!take(await answer.text())) { say("ended"); live.classList.remove("on"); return; }
        } else if (answer.status !== 304) throw new Error(answer.statusText);
        failures = 0;
        say("live");
      } catch {
        failures += 1;
        say("the watch has ended");
        live.classList.remove("on");
        if (failures > 30) return;
      }
      setTimeout(look, EVERY);
    }
    setTimeout(look, EVERY);
  }

  remember(document);
  theme();
  enlarge();
  copy();
  window.baryonTables(document);
  show(data(document));
  follow();
})();
