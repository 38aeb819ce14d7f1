// What all figures share: size, tooltip, arrow keys, zoom, and their data as a table and as CSV.
const COLOURS = d3.range(8).map((i) => `var(--s${i})`);
const SHAPES = [d3.symbolCircle, d3.symbolSquare, d3.symbolTriangle, d3.symbolDiamond, d3.symbolCross, d3.symbolStar, d3.symbolWye, d3.symbolCircle];
const levels = new Map();
/// A level keeps its colour and shape in every figure of the page.
function slot(level) {
  if (!levels.has(level)) levels.set(level, levels.size % 8);
  return levels.get(level);
}
const colour = (level) => COLOURS[slot(level)];
const symbol = (at, size = 45) => d3.symbol().type(SHAPES[at]).size(size)();
const line = (x, y, curve = d3.curveLinear) => d3.line().x(x).y(y).curve(curve);

/// About `count` ticks; bytes at round steps of their prefix.
function ticks(scale, count, unit) {
  if (!(unit in PREFIXES)) return scale.ticks(count);
  const [low, high] = scale.domain(), step = prefixOf(Math.max(Math.abs(low), Math.abs(high)), unit).scale;
  return d3.ticks(low / step, high / step, count).map((value) => value * step);
}

const tip = document.getElementById("tip");

function showTip(text, x, y) {
  tip.textContent = text;
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(4, Math.min(x + 12, innerWidth - box.width - 4))}px`;
  tip.style.top = `${y + box.height + 20 > innerHeight ? y - box.height - 12 : y + 14}px`;
}

function saveCsv(title, header, rows) {
  const field = (cell) => {
    let text = cell === null || cell === undefined ? "" : String(cell);
    if (typeof cell === "string" && /^[=+\-@\t\r]/.test(text)) text = "'" + text;  // never a formula in a spreadsheet
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const csv = [header, ...rows].map((row) => row.map(field).join(",")).join("\r\n") + "\r\n";
  const link = element("a", { href: URL.createObjectURL(new Blob([csv], { type: "text/csv" })), download: title.replace(/[^\w.-]+/g, "-").slice(0, 80) + ".csv" });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

/// `draw(plot, width, zoom)` draws into an SVG group and returns { height, marks: [{ x, y, text }] }; `zoom` rescales x where the figure zooms.
/// `about` completes the title where the page beside it says it already.
function figure(parent, { title, about, describe, header, rows, key, zooms, draw }) {
  const whole = about ? `${title}, ${about}` : title;
  const svg = d3.create("svg").attr("role", "img").attr("tabindex", 0).attr("aria-label", `${whole}. ${describe || ""} Arrow keys go through the values.`);
  const box = element("div", { class: "plot" }, svg.node());
  const made = element("figure", {}, element("figcaption", { text: title }));
  if (describe) made.append(element("p", { class: "faint", text: describe }));
  if (key) made.append(legend(key));
  made.append(box);
  const controls = element("div", { class: "controls" }, element("button", { type: "button", text: "CSV", "aria-label": `Save the data of ${whole} as CSV`, on: { click: () => saveCsv(whole, header, rows) } }));
  let marks = [], here = -1, transform = d3.zoomIdentity;
  const paint = (given) => {
    const width = given || Math.max(260, box.clientWidth);
    svg.selectAll("*").remove();
    const result = draw(svg.append("g"), width, transform);
    marks = result.marks;
    svg.attr("viewBox", `0 0 ${width} ${result.height}`).attr("height", result.height);
    svg.append("circle").attr("class", "here").attr("r", 7).attr("visibility", "hidden");
  };
  const point = (index) => {
    here = index;
    const mark = marks[index], frame = svg.node().getBoundingClientRect();
    svg.select(".here").attr("cx", mark.x).attr("cy", mark.y).attr("visibility", "visible");
    showTip(mark.text, frame.left + mark.x, frame.top + mark.y);
  };
  const leave = () => { tip.hidden = true; svg.select(".here").attr("visibility", "hidden"); };
  svg.node().addEventListener("pointermove", (event) => {
    const frame = svg.node().getBoundingClientRect(), x = event.clientX - frame.left, y = event.clientY - frame.top;
    let best = -1, distance = 40 * 40;
    marks.forEach((mark, i) => { const d = (mark.x - x) ** 2 + (mark.y - y) ** 2; if (d < distance) { best = i; distance = d; } });
    if (best < 0) leave(); else point(best);
  });
  svg.node().addEventListener("pointerleave", leave);
  svg.node().addEventListener("blur", leave);
  svg.node().addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (event.key === "Escape") leave();
    if (!step || !marks.length) return;
    event.preventDefault();
    point((here + step + marks.length) % marks.length);
  });
  if (zooms) {
    const zoom = d3.zoom().scaleExtent([1, 50]).filter(function (event) {
      const e = event && event.type ? event : d3.event;  // d3 5 keeps the event in a variable, later ones pass it
      return (e.type !== "wheel" || e.ctrlKey || e.shiftKey) && !e.button;
    }).on("zoom", (event) => { transform = (event && event.transform ? event : d3.event).transform; paint(); });
    const extend = () => zoom.extent([[0, 0], [box.clientWidth, 100]]).translateExtent([[0, 0], [box.clientWidth, 100]]);
    extend();
    svg.call(zoom);
    for (const [text, label, act] of [["+", "Zoom in", () => svg.call(zoom.scaleBy, 2)], ["−", "Zoom out", () => svg.call(zoom.scaleBy, .5)],
      ["Reset", "Reset zoom", () => svg.call(zoom.transform, d3.zoomIdentity)]]) {
      controls.append(element("button", { type: "button", text, "aria-label": `${label}: ${whole}`, on: { click: () => { extend(); act(); } } }));
    }
  }
  const details = element("details", {}, element("summary", { text: "Data as a table", "aria-label": `Data of ${whole} as a table` }));
  details.addEventListener("toggle", () => { if (details.open && details.children.length === 1) details.append(table(`Data of ${whole}`, header, rows, 200)); });
  made.append(controls, details);
  parent.append(made);
  new ResizeObserver(() => requestAnimationFrame(() => paint())).observe(box);
  addEventListener("beforeprint", () => paint(box.closest(".pair") ? 340 : 700));  // CSS pixels of a page, or of half of it
  addEventListener("afterprint", () => paint());
  paint();
}

function legend(names) {
  return element("ul", { class: "key", "aria-label": "Key" }, ...names.map((text) => {
    const svg = d3.create("svg").attr("aria-hidden", "true");
    svg.append("path").attr("transform", "translate(8,8)").attr("d", symbol(slot(text), 60)).attr("fill", colour(text));
    return element("li", {}, svg.node(), document.createTextNode(text));
  }));
}

function axes(plot, x, y, width, height, left, unit, xLabel, xUnit) {
  const across = ticks(x, Math.max(2, Math.floor(width / 110)), xUnit).filter((value) => xUnit || Number.isInteger(value));
  plot.append("g").attr("class", "grid").attr("transform", `translate(${left},0)`).call(d3.axisLeft(y).tickValues(ticks(y, 5, unit)).tickSize(-(width - left - 12)).tickFormat("")).select(".domain").remove();
  plot.append("g").attr("transform", `translate(0,${height})`).call(d3.axisBottom(x).tickValues(across).tickFormat((v) => (xUnit ? quantity(v, xUnit) : v)));
  plot.append("g").attr("transform", `translate(${left},0)`).call(d3.axisLeft(y).tickValues(ticks(y, 5, unit)).tickFormat((v) => quantity(v, unit)));
  plot.append("text").attr("x", width - 12).attr("y", height + 34).attr("text-anchor", "end").text(xLabel);
}

/// A domain with some room, never empty; `positive`: not below 0 where no value is.
function roomy(values, positive = false) {
  const [low, high] = d3.extent(values.filter((value) => value !== null && Number.isFinite(value)));
  if (low === undefined) return [0, 1];
  const room = (high - low) * .08 || Math.abs(high) * .02 || 1;
  return [positive && low >= 0 ? Math.max(0, low - room) : low - room, high + room];
}
