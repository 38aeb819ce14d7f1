// The page's frame: text only ever enters by textContent, so nothing of a result file can run.
"use strict";
const report = JSON.parse(document.getElementById("data").textContent);

function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key === "text") made.textContent = value;
    else if (key === "on") for (const [event, action] of Object.entries(value)) made.addEventListener(event, action);
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

function section(id, title) {
  const made = element("section", { id, "aria-labelledby": id + "-title" }, element("h2", { id: id + "-title", text: title }));
  document.getElementById("content").append(made);
  document.getElementById("contents").append(element("a", { href: "#" + id, text: title }));
  return made;
}

function notes(parent, list) {
  for (const note of list || []) parent.append(element("p", { class: "note", text: note }));
}

/// A choice with its label; `use` gets the index, now and on every change.
function choice(parent, label, names, use) {
  const select = element("select", {}, ...names.map((text, value) => element("option", { value, text })));
  select.addEventListener("change", () => use(Number(select.value)));
  if (names.length > 1) parent.append(element("label", { text: label }, select));
  if (names.length) use(0);
  return select;
}

function table(label, header, rows, most = rows.length) {
  const shown = rows.slice(0, most);
  const made = element("table", {}, element("thead", {}, element("tr", {}, ...header.map((text) => element("th", { scope: "col", text })))),
    element("tbody", {}, ...shown.map((row) => element("tr", {}, ...row.map((cell) => element("td", { text: cell === null || cell === undefined ? "-" : cell }))))));
  const box = element("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": label }, made);
  if (rows.length > most) box.append(element("p", { class: "note", text: `${most} of ${rows.length} rows; the CSV has all of them.` }));
  return box;
}

/// Bytes in powers of 1024, bytes per second in powers of 1000, as in the program's other output.
const PREFIXES = { "B": ["B", "KiB", "MiB", "GiB", "TiB"], "B/s": ["B/s", "kB/s", "MB/s", "GB/s", "TB/s"] };
function prefixOf(value, unit) {
  const base = unit === "B" ? 1024 : 1000, power = Math.min(4, Math.max(0, Math.floor(Math.log(Math.max(1, Math.abs(value))) / Math.log(base) + 1e-9)));
  return { scale: base ** power, name: PREFIXES[unit][power] };
}

function quantity(value, unit) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "no value";
  if (unit in PREFIXES) {
    const prefix = prefixOf(value, unit);
    return `${Number((value / prefix.scale).toPrecision(4))} ${prefix.name}`;
  }
  if (unit === "s" && value !== 0 && Math.abs(value) < 1) {
    return Math.abs(value) < 1e-3 ? `${Number((value * 1e6).toPrecision(4))} µs` : `${Number((value * 1e3).toPrecision(4))} ms`;
  }
  const number = Math.abs(value) >= 1e6 ? value.toExponential(3) : String(Number(value.toPrecision(4)));
  return unit && unit !== "1" ? `${number} ${unit === "1/s" ? "/s" : unit}` : number;
}

const name = (row) => [row.metric, row.kernel, row.model, row.condition].filter(Boolean).join(", ");
const place = (item) => [item.file.split("/").pop(), item.kernel + (item.model ? " " + item.model : ""), "point " + item.point, item.host].filter(Boolean).join(", ");

function setTheme() {
  const button = document.getElementById("theme");
  const dark = () => (document.documentElement.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const say = () => { button.textContent = dark() ? "Light" : "Dark"; button.setAttribute("aria-label", `Switch to ${dark() ? "light" : "dark"} colours`); };
  button.addEventListener("click", () => { document.documentElement.dataset.theme = dark() ? "light" : "dark"; say(); });
  say();
}
