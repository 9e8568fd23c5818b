"use strict";
(() => {
  const table = document.getElementById("images");
  const rows = [...table.querySelectorAll("tbody > tr")];
  const words = document.getElementById("words");
  const status = document.getElementById("status");
  const shown = document.getElementById("shown");
  const texts = new Map();
  const text = (row) => {
    if (!texts.has(row)) texts.set(row, row.textContent.toLowerCase());
    return texts.get(row);
  };
  const filter = () => {
    const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const row of rows) {
      const fits = (!status.value || row.className === status.value) &&
        (!wanted.length || wanted.every((word) => text(row).includes(word)));
      row.hidden = !fits;
      count += fits;
    }
    for (const body of table.tBodies) body.hidden = [...body.rows].every((row) => row.hidden);
    shown.textContent = count.toLocaleString("en") + " of " + rows.length.toLocaleString("en");
  };
  const sort = (column, head) => {
    const falling = head.getAttribute("aria-sort") === "ascending";
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", falling ? "descending" : "ascending");
    const order = new Intl.Collator("en", { numeric: true }).compare;
    const keyed = rows.map((row) => [row.cells[column].textContent, row]);
    keyed.sort((one, other) => (falling ? order(other[0], one[0]) : order(one[0], other[0])));
    const size = table.tBodies.length ? table.tBodies[0].rows.length : 1;
    for (const old of [...table.tBodies]) old.remove();
    for (let at = 0; at < keyed.length; at += size) {
      const body = document.createElement("tbody");
      body.append(...keyed.slice(at, at + size).map((pair) => pair[1]));
      body.hidden = [...body.rows].every((row) => row.hidden);
      table.append(body);
    }
  };
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    button.addEventListener("click", () => sort(column, head));
    head.replaceChildren(button);
  });
  let waiting = 0;
  const later = () => {
    clearTimeout(waiting);
    waiting = setTimeout(filter, 120);
  };
  words.addEventListener("input", later);
  status.addEventListener("change", filter);
  const form = document.getElementById("filter");
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  filter();
})();
