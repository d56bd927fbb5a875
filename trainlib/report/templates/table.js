"use strict";
// Lets the columns of a table be sorted; without it the table is as it was written.
for (const table of document.querySelectorAll("table[data-sortable]")) {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const names = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

  const valueOf = (row, column, isNumber) => {
    const cell = row.cells[column];
    return isNumber ? Number.parseFloat(cell.dataset.value) : cell.textContent;
  };

  const sort = (column) => {
    const head = heads[column];
    const isNumber = "number" in head.dataset;
    const direction = head.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
    const sign = direction === "ascending" ? 1 : -1;
    const rows = [...body.rows].map((row) => ({ row, value: valueOf(row, column, isNumber) }));
    rows.sort((a, b) => {
      if (!isNumber) return sign * names.compare(a.value, b.value);
      // What has no value comes last, whatever the direction.
      if (Number.isNaN(a.value) || Number.isNaN(b.value)) return Number.isNaN(a.value) - Number.isNaN(b.value);
      return sign * (a.value - b.value);
    });
    for (const other of heads) other.setAttribute("aria-sort", other === head ? direction : "none");
    body.replaceChildren(...rows.map(({ row }) => row));
  };

  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    button.addEventListener("click", () => sort(column));
    head.append(button);
    head.setAttribute("aria-sort", "none");
  });
}
