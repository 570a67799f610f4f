"use strict";
// Filters. The page is whole without them.
(() => {
  const byId = (id) => document.getElementById(id);
  const words = (input) => input.value.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = (text, wanted) => wanted.every((word) => text.includes(word));
  const onChange = (bar, run) => {
    if (!bar) return;
    bar.hidden = false;
    bar.addEventListener("input", run);
    bar.addEventListener("submit", (event) => event.preventDefault());
    run();
  };

  const matrix = byId("matrix");
  if (matrix) {
    const names = [...matrix.querySelectorAll("thead th.who")];
    const kinds = [...matrix.querySelectorAll("thead th.kind")];
    const texts = names.map((name) => name.textContent.toLowerCase());
    const blocks = [...matrix.tBodies].map((body) => ({
      head: body.rows[0],
      rows: [...body.rows].slice(1).map((row) => ({
        row,
        text: (body.rows[0].textContent + " " + row.cells[0].textContent).toLowerCase(),
      })),
    }));
    const everyRow = [...blocks.flatMap((block) => block.rows.map((it) => it.row)), ...matrix.tFoot.rows];
    let shownColumns = names.map(() => true);
    onChange(byId("matrix-bar"), () => {
      const columns = texts.map((text) => fits(text, words(byId("by-who"))));
      if (columns.some((shown, at) => shown !== shownColumns[at])) {
        for (const row of everyRow) columns.forEach((shown, at) => { row.cells[at + 1].hidden = !shown; });
        names.forEach((name, at) => { name.hidden = !columns[at]; });
        for (const kind of kinds) {
          const left = names.filter((name) => !name.hidden && name.dataset.kind === kind.dataset.kind).length;
          kind.hidden = left === 0;
          kind.colSpan = left || 1;
        }
        shownColumns = columns;
      }
      const wanted = words(byId("by-secret"));
      const granted = byId("by-grant").checked;
      let count = 0;
      for (const block of blocks) {
        let left = 0;
        for (const { row, text } of block.rows) {
          const reached = !granted || columns.some((shown, at) => shown && row.cells[at + 1].firstChild);
          row.hidden = !(reached && fits(text, wanted));
          if (!row.hidden) left += 1;
        }
        block.head.hidden = left === 0;
        count += left;
      }
      const people = columns.filter(Boolean).length;
      byId("matrix-count").value = `${count} of ${everyRow.length - 1} secrets, ${people} of ${names.length} principals`;
    });
  }

  const events = byId("events");
  if (events) {
    const rows = [...events.querySelectorAll("tbody tr:not(.group)")];
    const texts = rows.map((row) => row.textContent.toLowerCase());
    onChange(byId("events-bar"), () => {
      const wanted = words(byId("by-text"));
      const end = byId("by-end").value;
      let count = 0;
      rows.forEach((row, at) => {
        row.hidden = !(fits(texts[at], wanted) && (!end || row.dataset.end === end));
        if (!row.hidden) count += 1;
      });
      for (const body of events.tBodies) {
        body.rows[0].hidden = [...body.rows].slice(1).every((row) => row.hidden);
      }
      byId("events-count").value = `${count} of ${rows.length} entries`;
    });
  }
})();
