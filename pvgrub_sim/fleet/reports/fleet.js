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
    shown.textContent = count.toLocaleString("en") + " of " + rows.length.toLocaleString("en");
  };
  const sort = (column, head) => {
    const falling = head.getAttribute("aria-sort") === "ascending";
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", falling ? "descending" : "ascending");
    const order = new Intl.Collator("en", { numeric: true }).compare;
    const keyed = rows.map((row) => [row.cells[column].textContent, row]);
    keyed.sort((one, other) => (falling ? order(other[0], one[0]) : order(one[0], other[0])));
    const body = document.createElement("tbody");
    body.append(...keyed.map((pair) => pair[1]));
    for (const old of [...table.tBodies]) old.remove();
    table.append(body);
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
