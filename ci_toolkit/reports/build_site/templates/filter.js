"use strict";
(() => {
  const rows = [...document.querySelectorAll("#packages tbody tr")];
  const text = document.getElementById("text");
  const shown = document.getElementById("shown");
  document.getElementById("filter").hidden = rows.length < 2;
  text.addEventListener("input", () => {
    const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const row of rows) {
      const content = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => content.includes(word));
      count += row.hidden ? 0 : 1;
    }
    shown.textContent = words.length ? `${count} of ${rows.length}` : "";
  });
})();
