<script>
"use strict";
// Tables: a click on a heading sorts by it, a second one the other way; what is undefined stays below.
for (const table of document.querySelectorAll(".sortable")) {
  const heads = [...table.tHead.rows[0].cells], body = table.tBodies[0];
  heads.forEach((head, column) => {
    const sort = () => {
      const up = head.ariaSort ? head.ariaSort === "descending" : head.dataset.first === "up";
      heads.forEach(other => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const key = row => { const v = parseFloat(row.cells[column].dataset.v); return isNaN(v) ? (up ? Infinity : -Infinity) : v; };
      [...body.rows].sort((a, b) => (up ? 1 : -1) * (key(a) - key(b)) || 0).forEach(row => body.append(row));
    };
    head.tabIndex = 0;
    head.addEventListener("click", sort);
    head.addEventListener("keydown", event => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); sort(); } });
  });
}
// Charts: the step and the value of the line nearest to the pointer.
for (const svg of document.querySelectorAll(".chart svg")) {
  const numbers = text => text.split(" ").map(Number);
  const [left, right, top, bottom] = numbers(svg.dataset.box), [x0, x1] = numbers(svg.dataset.x), [y0, y1] = numbers(svg.dataset.y);
  const log = svg.dataset.log === "1", output = svg.parentElement.querySelector("output"), cursor = svg.querySelector(".cursor");
  const lines = [...svg.querySelectorAll("polyline")].map(line => ({ line, points: line.getAttribute("points").split(" ").map(pair => pair.split(",").map(Number)) }));
  const leave = () => { output.textContent = ""; cursor.setAttribute("d", ""); svg.querySelectorAll(".hot").forEach(g => g.classList.remove("hot")); };
  svg.addEventListener("pointerleave", leave);
  svg.addEventListener("pointermove", event => {
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
    let best = null;
    for (const { line, points } of lines) {
      const point = points.reduce((a, b) => Math.abs(b[0] - at.x) < Math.abs(a[0] - at.x) ? b : a);
      const distance = Math.abs(point[1] - at.y);
      if (!best || distance < best.distance) best = { line, point, distance };
    }
    leave();
    const [x, y] = best.point, part = (bottom - y) / (bottom - top);
    const step = Math.round(x0 + (x - left) / (right - left) * (x1 - x0));
    const value = log ? y0 * Math.pow(y1 / y0, part) : y0 + part * (y1 - y0);
    output.textContent = `${lines.length > 1 ? best.line.dataset.name + ", " : ""}step ${step.toLocaleString("en")}: ${Number(value.toPrecision(3))}${svg.dataset.unit}`;
    cursor.setAttribute("d", `M${x} ${top}V${bottom}`);
    if (lines.length > 1) best.line.parentElement.classList.add("hot");
  });
}
</script>
