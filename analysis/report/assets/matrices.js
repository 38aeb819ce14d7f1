// Figures with named rows: heat maps, waterfall, bars.

/// `cells`: [{ row, column, value, label, text }]; `fill` gives a colour. Scrolls sideways where columns would be too narrow.
function heatMap(parent, { title, describe, rows, columns, cells, fill, header, data }) {
  const left = Math.min(150, 16 + 7 * d3.max(rows, (row) => row.length)), top = Math.min(150, 20 + 6 * d3.max(columns, (c) => c.length));
  const scroller = element("div", { class: "wide" });
  parent.append(scroller);
  figure(scroller, {
    title, describe, header, rows: data,
    draw(plot, width) {
      const size = d3.scaleBand(columns, [left, width - Math.min(60, top / 2)]).padding(.06), step = 26, place = new Map(rows.map((row, i) => [row, top + i * step]));
      columns.forEach((column) => plot.append("text").attr("transform", `translate(${size(column) + size.bandwidth() / 2 + 4},${top - 6}) rotate(-55)`).text(column));
      rows.forEach((row) => plot.append("text").attr("x", left - 6).attr("y", place.get(row) + 17).attr("text-anchor", "end").text(row.length > 20 ? row.slice(0, 19) + "…" : row));
      const marks = cells.map((cell) => {
        const x = size(cell.column), y = place.get(cell.row);
        plot.append("rect").attr("x", x).attr("y", y).attr("width", size.bandwidth()).attr("height", step - 2).attr("fill", fill(cell));
        if (size.bandwidth() >= 26 && cell.label) plot.append("text").attr("x", x + size.bandwidth() / 2).attr("y", y + 16).attr("text-anchor", "middle").style("fill", "#111").text(cell.label);
        return { x: x + size.bandwidth() / 2, y: y + step / 2, text: cell.text };
      });
      return { height: top + rows.length * step + 6, marks };
    },
  });
  scroller.querySelector(".plot").style.minWidth = `${left + 20 * columns.length}px`;
}

/// 0, 1 or 2 when the whole interval lies within a tenth of it.
function chargeVerdict(cell) {
  if (cell.slope === null || cell.half_width === null) return "no answer";
  const names = ["uncounted", "counted", "double-counted"];
  const found = names.findIndex((_, n) => Math.abs(cell.slope - n) + cell.half_width <= .1);
  return found < 0 ? "indeterminate" : names[found];
}

function chargeChart(parent, item) {
  const fills = { uncounted: "#d9dee4", counted: "#7fc4a4", "double-counted": "#f2a097", indeterminate: "#ecd9a0", "no answer": "#c9c9c9" };
  const unique = (key) => [...new Set(item.cells.map((cell) => cell[key]))];
  heatMap(parent, {
    title: place(item) + ", rank " + item.rank, rows: unique("allocator"), columns: unique("ledger"),
    describe: "Bytes by which a ledger (column) moved for each byte that an allocator (row) got, all of it touched. Grey: not counted; green: once; red: twice; yellow: none of these for certain; blank: no answer.",
    cells: item.cells.map((c) => ({ row: c.allocator, column: c.ledger, verdict: chargeVerdict(c), label: c.slope === null ? "" : c.slope.toFixed(1).replace("-0.0", "0.0"),
      text: `${c.allocator} on ${c.ledger}, after ${c.step}\n${c.slope === null ? "no answer" : c.slope.toFixed(3)} ± ${c.half_width === null ? "-" : c.half_width.toFixed(3)}: ${chargeVerdict(c)}` })),
    fill: (cell) => fills[cell.verdict], header: ["allocator", "ledger", "step", "charge", "half_width", "verdict"],
    data: item.cells.map((c) => [c.allocator, c.ledger, c.step, c.slope, c.half_width, chargeVerdict(c)]),
  });
}

function nodeRankChart(parent, item) {
  const hosts = new Map();
  for (const cell of item.cells) hosts.set(cell.node, `${cell.node} ${cell.host}`.trim());
  const within = new Map(), median = d3.median(item.cells, (c) => c.value);
  const reach = d3.max(item.cells, (c) => Math.abs(c.value / median - 1)) || 1;
  const shade = d3.scaleLinear([-reach, 0, reach], ["#6baed6", "#eef0f2", "#fd9a5c"]);
  const cells = item.cells.map((c) => {
    const local = within.get(c.node) || 0;
    within.set(c.node, local + 1);
    const share = 100 * (c.value / median - 1);
    return { row: hosts.get(c.node), column: String(local), share: c.value / median - 1, label: `${share > 0 ? "+" : ""}${share.toFixed(1)}`,
      text: `node ${hosts.get(c.node)}, rank ${c.rank}, ${c.device}\n${quantity(c.value, item.unit)}, ${share.toFixed(2)} % from the median` };
  });
  heatMap(parent, {
    title: name(item), describe: `${item.meaning ? item.meaning + ". " : ""}Rows: nodes; columns: ranks on the node; per cent from the median rank, ${quantity(median, item.unit)}. Blue: below; orange: above.`,
    rows: [...hosts.values()], columns: [...new Set(cells.map((c) => c.column))], cells, fill: (cell) => shade(cell.share),
    header: ["node", "host", "rank", "device", item.metric, "unit"], data: item.cells.map((c) => [c.node, c.host, c.rank, c.device, c.value, item.unit]),
  });
}

/// Bars from [from, to] with their labels; the waterfall and the budgets.
function bars(parent, { title, describe, list, header, rows }) {
  figure(parent, {
    title, describe, header, rows,
    draw(plot, width) {
      const left = Math.min(210, Math.max(160, width * .34)), step = 26, x = d3.scaleLinear(roomy(list.flatMap((b) => [b.from, b.to, 0])), [left, width - 20]);
      const height = list.length * step + 8, across = ticks(x, Math.max(2, Math.floor(width / 180)), "B");
      plot.append("g").attr("class", "grid").call(d3.axisTop(x).tickValues(across).tickSize(-height).tickFormat("")).select(".domain").remove();
      plot.append("g").attr("transform", `translate(0,${height})`).call(d3.axisBottom(x).tickValues(across).tickFormat((v) => quantity(v, "B")));
      const marks = list.map((bar, i) => {
        const y = i * step + 8, low = Math.min(x(bar.from), x(bar.to)), span = Math.max(1.5, Math.abs(x(bar.to) - x(bar.from))), room = Math.floor(left / 7.4);
        plot.append("text").attr("x", left - 8).attr("y", y + 14).attr("text-anchor", "end").attr("class", bar.strong ? "strong" : null).text(bar.name.length > room ? bar.name.slice(0, room - 1) + "…" : bar.name);
        plot.append("rect").attr("x", low).attr("y", y).attr("width", span).attr("height", step - 7).attr("fill", bar.colour);
        return { x: low + span / 2, y: y + step / 2 - 3, text: bar.text };
      });
      plot.append("line").attr("x1", x(0)).attr("x2", x(0)).attr("y1", 0).attr("y2", height).attr("stroke", "var(--faint)");
      return { height: height + 26, marks };
    },
  });
}

function balanceChart(parent, item) {
  let at = 0;
  const list = item.terms.filter((term) => term.change !== 0).map((term) => {
    const from = at;
    at += term.change;
    return { name: term.name, from, to: at, colour: term.change < 0 ? "var(--s1)" : "var(--s0)", text: `${term.name} (${term.fields})\n${quantity(term.change, "B")}` };
  });
  list.push({ name: "residual", from: at, to: at + item.residual, colour: "var(--s3)", text: `residual: no field explains it\n${quantity(item.residual, "B")}` });
  list.push({ name: "MemFree", strong: true, from: 0, to: item.free_change, colour: "var(--s7)", text: `change of MemFree\n${quantity(item.free_change, "B")}` });
  bars(parent, {
    title: `${place(item)}: ${item.from} to ${item.to}`, list, header: ["term", "fields", "bytes"],
    describe: "What each use of memory did to MemFree, one after the other: to the left it took memory, to the right it gave some back."
      + (item.unanswered.length ? ` No answer (part of the residual): ${item.unanswered.join(", ")}.` : ""),
    rows: [...item.terms.map((t) => [t.name, t.fields, t.change]), ["residual", "", item.residual], ["MemFree", "", item.free_change]],
  });
}

function budgetChart(parent, item) {
  const rules = [...new Set(item.budgets.map((budget) => budget.rule))];
  const many = new Set(item.budgets.map((budget) => budget.injected)).size > 1;
  bars(parent, {
    title: `${place(item)}, rank ${item.rank}`, describe: "What each program's rule would give the KV cache, by the pool it looks at. Below 0: the weights alone do not fit.",
    list: item.budgets.filter((b) => b.bytes !== null).map((b) => ({
      name: `${b.rule} · ${b.pool}${many && b.injected ? " + cache" : ""}`, from: 0, to: b.bytes, colour: COLOURS[rules.indexOf(b.rule) % 8],
      text: `${b.rule} on ${b.pool}${b.injected ? `, ${quantity(b.injected, "B")} of page cache injected` : ""}\n${quantity(b.bytes, "B")}${b.tokens === null ? "" : `, ${b.tokens} tokens`}: ${b.status}` })),
    header: ["rule", "pool", "injected_bytes", "kv_budget_bytes", "tokens", "status"], rows: item.budgets.map((b) => [b.rule, b.pool, b.injected, b.bytes, b.tokens, b.status]),
  });
}
