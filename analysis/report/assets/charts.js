// Figures with a continuous x: runs over time, distributions, time lines, scaling.

/// Every launch's value at its place in time; a level's mean and interval at the right.
function runChart(parent, factor, row) {
  const names = row.groups.map((group) => group.level);
  const rows = row.groups.flatMap((group) => group.values.map((value, i) => [group.level, group.positions[i], value, row.unit]));
  const grouped = row.groups.filter((group) => group.low !== null);
  figure(parent, {
    title: name(row), key: names.length > 1 ? names : null, zooms: true, header: [factor, "position_in_time", row.metric, "unit"], rows,
    describe: [row.meaning, row.better && `${row.better} is better`, grouped.length ? "right: means with 95 % intervals" : ""].filter(Boolean).join("; ") + ".",
    draw(plot, width, zoom) {
      const left = 78, right = grouped.length ? 16 + 18 * names.length : 16, height = 260, marks = [];
      const x = zoom.rescaleX(d3.scaleLinear(roomy(rows.map((r) => r[1])), [left, width - right]));
      const y = d3.scaleLinear(roomy(rows.map((r) => r[2]).concat(row.groups.flatMap((g) => [g.low, g.high])), true), [height, 10]).nice(5);
      axes(plot, x, y, width, height, left, row.unit, "launch, in order of time");
      row.groups.forEach((group, index) => {
        const level = slot(group.level);
        group.values.forEach((value, i) => {
          const at = x(group.positions[i]);
          if (value === null || at < left || at > width - right) return;
          plot.append("path").attr("d", symbol(level)).attr("transform", `translate(${at},${y(value)})`).attr("fill", COLOURS[level]).attr("fill-opacity", .8);
          marks.push({ x: at, y: y(value), text: `${group.level}\nlaunch ${group.positions[i]}: ${quantity(value, row.unit)}` });
        });
        if (group.low === null) return;
        const at = width - right + 14 + 18 * index;
        plot.append("line").attr("x1", at).attr("x2", at).attr("y1", y(group.low)).attr("y2", y(group.high)).attr("stroke", COLOURS[level]).attr("stroke-width", 3);
        plot.append("path").attr("d", symbol(level, 70)).attr("transform", `translate(${at},${y(group.mean)})`).attr("fill", COLOURS[level]);
        marks.push({ x: at, y: y(group.mean), text: `${group.level}: mean ${quantity(group.mean, row.unit)}\n95 %: ${quantity(group.low, row.unit)} to ${quantity(group.high, row.unit)}\n${group.launches} launches` });
      });
      return { height: height + 42, marks: marks.sort((a, b) => a.x - b.x) };
    },
  });
}

function ecdfChart(parent, factor, item) {
  figure(parent, {
    title: name(item), describe: `${item.meaning ? item.meaning + ". " : ""}Share of samples at or below a value: ` + item.groups.map((g) => `${g.level || "all"} ${g.samples} samples`).join(", ") + ".",
    key: item.groups.length > 1 ? item.groups.map((group) => group.level) : null, zooms: true, header: [factor, item.metric, "share", "unit"],
    rows: item.groups.flatMap((group) => group.values.map((value, i) => [group.level, value, group.shares[i], item.unit])),
    draw(plot, width, zoom) {
      const left = 52, height = 250, marks = [];
      const x = zoom.rescaleX(d3.scaleLinear(roomy(item.groups.flatMap((g) => g.values)), [left, width - 12])), y = d3.scaleLinear([0, 1], [height, 10]);
      axes(plot, x, y, width, height, left, "1", item.metric, item.unit);
      item.groups.forEach((group) => {
        const level = slot(group.level);
        const points = group.values.map((value, i) => [x(value), y(group.shares[i]), i]).filter((p) => p[0] >= left && p[0] <= width - 12);
        plot.append("path").attr("d", line((p) => p[0], (p) => p[1], d3.curveStepAfter)(points)).attr("fill", "none").attr("stroke", COLOURS[level]).attr("stroke-width", 2)
          .attr("stroke-dasharray", item.groups.length > 1 && level ? `${8 - level} ${2 + (level % 3)}` : null);
        for (const [px, py, i] of points) marks.push({ x: px, y: py, text: `${group.level}\n${(100 * group.shares[i]).toFixed(1)} % at most ${quantity(group.values[i], item.unit)}` });
      });
      return { height: height + 42, marks };
    },
  });
}

/// One strip for each ledger, all over the same time.
function timelineChart(parent, item) {
  figure(parent, {
    title: place(item), describe: "One strip for each ledger, each with its own scale, over seconds since the run's start.", zooms: true,
    header: ["ledger", "time_s", "bytes"], rows: item.columns.flatMap((column) => column.t.map((t, i) => [column.name, t, column.v[i]])),
    draw(plot, width, zoom) {
      const left = 78, strip = 72, marks = [];
      const x = zoom.rescaleX(d3.scaleLinear(roomy(item.columns.flatMap((c) => c.t)), [left, width - 12]));
      item.columns.forEach((column, row) => {
        const top = row * strip + 18, bottom = row * strip + strip - 6, y = d3.scaleLinear(roomy(column.v), [bottom, top]);
        plot.append("g").attr("transform", `translate(${left},0)`).call(d3.axisLeft(y).tickValues(d3.extent(column.v.filter((v) => v !== null))).tickFormat((v) => quantity(v, "B")));
        plot.append("text").attr("class", "strong").attr("x", left + 4).attr("y", top - 5).text(column.name);
        const points = column.v.map((value, i) => [x(column.t[i]), value, i]).filter((p) => p[0] >= left && p[0] <= width - 12);
        plot.append("path").attr("d", line((p) => p[0], (p) => y(p[1])).defined((p) => p[1] !== null)(points)).attr("fill", "none").attr("stroke", COLOURS[row % 8]).attr("stroke-width", 1.5);
        for (const [px, value, i] of points) if (value !== null) marks.push({ x: px, y: y(value), text: `${column.name}\n${quantity(value, "B")} at ${column.t[i]} s` });
      });
      const height = item.columns.length * strip;
      plot.append("g").attr("transform", `translate(0,${height})`).call(d3.axisBottom(x).ticks(Math.floor(width / 90)));
      plot.append("text").attr("x", width - 12).attr("y", height + 34).attr("text-anchor", "end").text("seconds");
      return { height: height + 42, marks };
    },
  });
}

/// What Amdahl's (strong) or Gustafson's fit (weak) says of n times the smallest size.
const fitted = (strong, share, n) => (strong ? 1 / (share + (1 - share) / n) : n - share * (n - 1));

/// Speed-up, with its ideal and its fit, and efficiency, over sizes in steps of a factor.
function scaleCharts(parent, kind, curve) {
  const strong = kind.scaling === "strong", pair = element("div", { class: "pair" }), first = curve.points[0].size;
  const over = { tp: "ranks that share the model (tp)", ranks: "ranks", nodes: "nodes" }[kind.over];
  parent.append(element("p", { class: "faint", text: kind.meaning }), pair);
  if (curve.fit.sentence) parent.append(element("p", { text: curve.fit.sentence }));
  const header = [kind.over, "launches", curve.metric, "unit", "speedup", "speedup_low", "speedup_high", "efficiency", "efficiency_low", "efficiency_high"];
  const rows = curve.points.map((p) => [p.size, p.launches, p.value, curve.unit, p.speedup, ...p.speedup_interval, p.efficiency, ...p.efficiency_interval]);
  const chart = (what, bounds, label, scale, ideal, fit, format) => figure(pair, {
    title: label, about: name(curve), describe: `Over ${over}, against ${first}. Dashed: ideal${curve.fit.share === null ? "" : "; line: the fit"}; bars: 95 % intervals over launches.`, header, rows,
    draw(plot, width) {
      const left = 48, height = 230, sizes = curve.points.map((p) => p.size), end = width - 12;
      const x = d3.scaleLog([first, sizes.at(-1)], [left + 20, end - 20]).base(2), y = scale([height, 10]), [least, most] = y.domain();
      const steps = format === "%" ? y.ticks(5) : sizes.map((size) => size / first);
      plot.append("g").attr("class", "grid").attr("transform", `translate(${left},0)`).call(d3.axisLeft(y).tickValues(steps).tickSize(-(end - left)).tickFormat("")).select(".domain").remove();
      plot.append("path").attr("d", `M${left},${height}H${end}`).attr("class", "domain");
      plot.append("g").attr("transform", `translate(0,${height})`).call(d3.axisBottom(x).tickValues(sizes).tickFormat((size) => size).tickSizeOuter(0)).select(".domain").remove();
      plot.append("g").attr("transform", `translate(${left},0)`).call(d3.axisLeft(y).tickValues(steps).tickFormat(format === "%" ? d3.format(".0%") : (value) => `${Number(value.toPrecision(3))}×`));
      plot.append("text").attr("x", end).attr("y", height + 34).attr("text-anchor", "end").text(over);
      const along = d3.range(0, 41).map((i) => first * (sizes.at(-1) / first) ** (i / 40));
      const curveOf = (f) => line((size) => x(size), (size) => y(Math.min(most, Math.max(least, f(size / first)))))(along);
      plot.append("path").attr("d", curveOf(ideal)).attr("fill", "none").attr("stroke", "var(--faint)").attr("stroke-dasharray", "4 4");
      if (curve.fit.share !== null) plot.append("path").attr("d", curveOf(fit)).attr("fill", "none").attr("stroke", COLOURS[0]).attr("stroke-width", 2);
      const marks = curve.points.filter((p) => p[what] !== null).map((p) => {
        const at = x(p.size), [low, high] = p[bounds];
        if (low !== null) plot.append("line").attr("x1", at).attr("x2", at).attr("y1", y(low)).attr("y2", y(high)).attr("stroke", COLOURS[0]).attr("stroke-width", 3);
        plot.append("path").attr("d", symbol(0, 60)).attr("transform", `translate(${at},${y(p[what])})`).attr("fill", COLOURS[0]);
        return { x: at, y: y(p[what]), text: `${p.size} ${kind.over}: speed-up ${p.speedup}, efficiency ${(100 * p.efficiency).toFixed(1)} %\n${quantity(p.value, curve.unit)}${strong ? "" : " per rank"}, ${p.launches} launches`
          + (low === null ? "" : `\n95 %: ${format === "%" ? `${(100 * low).toFixed(1)} to ${(100 * high).toFixed(1)} %` : `${low} to ${high}`}`) };
      });
      return { height: height + 42, marks };
    },
  });
  // Both axes of the speed-up in steps of a factor, so that ideal is a straight line.
  const ends = (what, bounds) => curve.points.flatMap((p) => [p[what], ...p[bounds]]).filter((value) => value !== null && value > 0);
  const times = ends("speedup", "speedup_interval"), shares = ends("efficiency", "efficiency_interval");
  chart("speedup", "speedup_interval", "Speed-up", (range) => d3.scaleLog([.9 * d3.min([1, ...times]), 1.1 * d3.max([curve.points.at(-1).size / first, ...times])], range),
    (n) => n, (n) => fitted(strong, curve.fit.share, n));
  chart("efficiency", "efficiency_interval", "Efficiency", (range) => d3.scaleLinear([0, 1.05 * d3.max([1, ...shares])], range),
    () => 1, (n) => fitted(strong, curve.fit.share, n) / n, "%");
}
