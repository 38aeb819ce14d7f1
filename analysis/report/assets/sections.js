// The sections, each only where its data exist.

function answers(parent, list) {
  parent.append(element("ul", { class: "answers" }, ...list.map((answer) => element("li", { class: answer.verdict, text: answer.sentence }))));
}

function overview(data) {
  const part = section("overview", "Overview");
  const facts = Object.entries(data.facts).filter(([, values]) => values.length).map(([key, values]) => `${key}: ${values.join(", ")}`);
  if (facts.length) part.append(element("p", { class: "faint", text: facts.join(" · ") }));
  answers(part, data.answers);
  if (data.findings.length) {
    part.append(element("h3", { text: "What the audit found" }));
    answers(part, data.findings.map((sentence) => ({ verdict: "finding", sentence })));
  }
  if (!data.answers.length && !data.findings.length) part.append(element("p", { text: "Nothing to compare, and the audit has no finding." }));
  notes(part, data.notes);
}

function comparison(list) {
  const part = section("comparison", list.length > 1 ? "Comparison" : "Launches"), controls = element("div", { class: "controls" }), metrics = element("div"), body = element("div");
  part.append(controls, body);
  const factor = choice(controls, "Factor", list.map((each) => each.factor), () => {});
  factor.id = "factor";
  controls.append(metrics);
  const use = () => {
    const chosen = list[Number(factor.value)];
    body.replaceChildren();
    const place = element("div");
    metrics.replaceChildren();
    body.append(place);
    choice(metrics, "Metric", chosen.rows.map(name), (i) => {
      const row = chosen.rows[i];
      place.replaceChildren();
      answers(place, row.answers);
      for (const answer of row.answers) notes(place, answer.cautions);
      runChart(place, chosen.factor, row);
    });
    const rows = chosen.rows.flatMap((row) => row.answers.map((a) => [name(row), a.level, a.verdict, a.difference, a.relative, a.interval, a.p]));
    if (rows.length) {
      const header = ["metric", `${chosen.factor} against ${chosen.reference}`, "verdict", "difference", "relative", "95 % interval", "p"];
      body.append(element("details", {}, element("summary", { text: `All ${rows.length} answers` }), table(`All answers by ${chosen.factor}`, header, rows),
        element("button", { type: "button", text: "CSV", "aria-label": "Save all answers as CSV", on: { click: () => saveCsv("comparison by " + chosen.factor, header, rows) } })));
    }
    notes(body, chosen.notes);
  };
  factor.addEventListener("change", use);
  use();
}

/// Distributions of samples: by a factor, of a metric.
function distributions(list) {
  const part = section("distributions", "Throughput and latency"), controls = element("div", { class: "controls" }), metrics = element("div"), body = element("div");
  part.append(controls, body);
  choice(controls, "Factor", list.map((each) => each.factor), (at) => {
    const chosen = list[at], place = element("div");
    metrics.replaceChildren();
    body.replaceChildren(place);
    choice(metrics, "Metric", chosen.items.map(name), (i) => { place.replaceChildren(); ecdfChart(place, chosen.factor, chosen.items[i]); });
    notes(body, chosen.notes);
  });
  controls.append(metrics);
}

/// A section that shows one of its items at a time.
function chosen(id, title, label, data, names, draw) {
  const part = section(id, title), controls = element("div", { class: "controls" }), body = element("div");
  part.append(controls, body);
  choice(controls, label, names, (i) => { body.replaceChildren(); draw(body, data[i]); });
  return part;
}

function scaling(data) {
  const part = section("scaling", "Scaling");
  for (const kind of data.kinds) {
    const controls = element("div", { class: "controls" }), body = element("div");
    part.append(element("h3", { text: kind.title }), controls, body);
    choice(controls, "Metric", kind.curves.map(name), (i) => { body.replaceChildren(); scaleCharts(body, kind, kind.curves[i]); });
    notes(part, kind.notes);
  }
  if (data.standouts.length) part.append(element("h3", { text: "What stands apart" }));
  answers(part, data.standouts.map((sentence) => ({ verdict: "finding", sentence })));
}

function audit(data) {
  const part = section("audit", "Audit");
  for (const finding of data.findings) {
    part.append(element("h3", { text: finding.what }), element("p", { text: finding.evidence }), element("p", { class: "faint", text: `How sure: ${finding.sure}. ${finding.advice}` }));
  }
  part.append(table("What was checked", ["check", "question", "outcome"], data.checks.map((check) => [check.check, check.question,
    check.findings ? `${check.findings} found` : check.not_possible ? `not possible: ${check.not_possible}` : "nothing"])));
  notes(part, data.notes);
}

function provenance(data) {
  const part = section("provenance", "Provenance");
  part.append(element("h3", { text: "Of all launches" }), table("Facts of all launches", ["fact", "value"], data.shared.map((fact) => [fact.name, fact.value])));
  if (data.columns.length) {
    part.append(element("h3", { text: "What differs between launches" }), table("What differs between launches", data.columns, data.launches));
    part.append(element("div", { class: "controls" }, element("button", { type: "button", text: "CSV", "aria-label": "Save the launches as CSV", on: { click: () => saveCsv("launches", data.columns, data.launches) } })));
  }
  notes(part, data.notes);
}

function build() {
  document.getElementById("title").textContent = report.title;
  document.getElementById("summary").textContent = report.overview.summary;
  document.getElementById("program").textContent = "Made by " + report.program;
  setTheme();
  overview(report.overview);
  if (report.comparisons) comparison(report.comparisons);
  if (report.distributions) distributions(report.distributions);
  if (report.scaling) scaling(report.scaling);
  const single = [["node_ranks", "Nodes and ranks", name, nodeRankChart], ["charge", "Charge matrix", (item) => place(item) + ", rank " + item.rank, chargeChart],
    ["balance", "Byte balance", (item) => `${place(item)}: ${item.from} to ${item.to}`, balanceChart],
    ["kv", "KV budget by rule", (item) => place(item) + ", rank " + item.rank, budgetChart], ["timelines", "Ledgers over time", place, timelineChart]];
  for (const [id, title, label, draw] of single) {
    if (!report[id]) continue;
    notes(chosen(id, title, "Show", report[id].items, report[id].items.map(label), draw), report[id].notes);
  }
  if (report.audit) audit(report.audit);
  provenance(report.provenance);
  document.documentElement.dataset.ready = "yes";
}
build();
