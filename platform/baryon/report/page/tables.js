// Tables whose heads sort: a button in each, `aria-sort` on the column.
"use strict";
(() => {
  const order = new Map(), unfolded = new Set();
  const MOST_ROWS = 30; // the style shows the first 25 of a longer table

  function value(row, column) {
    const cell = row.cells[column];
    const text = cell?.dataset.value ?? cell?.textContent.trim() ?? "";
    const number = Number(text.replace(/%$/, ""));
    return text === "" || Number.isNaN(number) ? text : number;
  }

  // Numbers before texts, nothing always last.
  function compare(one, other, sign) {
    if (one === "" || other === "") return (one === "") - (other === "");
    if (typeof one !== typeof other) return typeof one === "number" ? -1 : 1;
    return sign * (typeof one === "number" ? one - other : one.localeCompare(other));
  }

  function sort(table, column, sign) {
    order.set(table.id, [column, sign]);
    const heads = table.tHead.rows[0].cells;
    for (const [index, head] of [...heads].entries()) {
      if (index === column) head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
      else head.removeAttribute("aria-sort");
    }
    const rows = [...table.tBodies[0].rows].map((row) => [value(row, column), row]);
    rows.sort(([one], [other]) => compare(one, other, sign));
    table.tBodies[0].append(...rows.map(([, row]) => row));
  }

  // Of a long table the first rows are shown, until the others are asked for.
  function shorten(table) {
    const rows = table.tBodies[0].rows.length, place = table.closest(".scroll");
    if (rows <= MOST_ROWS || place.nextElementSibling?.matches(".all-rows")) return;
    const button = document.createElement("button");
    Object.assign(button, { type: "button", className: "plain all-rows", textContent: `all ${rows} rows` });
    const show = () => {
      const all = unfolded.has(table.id);
      table.classList.toggle("short", !all);
      button.setAttribute("aria-pressed", String(all));
    };
    button.addEventListener("click", () => {
      if (!unfolded.delete(table.id)) unfolded.add(table.id);
      show();
    });
    place.after(button);
    show();
  }

  // Gives every head its button; a table that was sorted before is sorted so again.
  window.baryonTables = (within) => {
    for (const table of within.querySelectorAll("table.sortable")) {
      [...table.tHead.rows[0].cells].forEach((head, column) => {
        if (head.querySelector("button")) return;
        const button = document.createElement("button");
        button.type = "button";
        button.append(...head.childNodes);
        button.addEventListener("click", () => {
          const [before, sign] = order.get(table.id) ?? [];
          sort(table, column, before === column ? -sign : 1);
        });
        head.append(button);
      });
      if (order.has(table.id)) sort(table, ...order.get(table.id));
      shorten(table);
    }
  };
})();
