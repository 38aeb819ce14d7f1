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
      const y = d3.scaleLinear(roomy(rows.map((r) => r[2]).concat(row.groups.flatMap((g) => [g.low, g.high]))), [height, 10]).nice(5);
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

function ecdfChart(parent, item) {
  figure(parent, {
    title: name(item), describe: `${item.meaning}. Share of samples at or below a value: ` + item.groups.map((g) => `${g.level || "all"} ${g.samples} samples`).join(", ") + ".",
    key: item.groups.length > 1 ? item.groups.map((group) => group.level) : null, zooms: true, header: ["environment", item.metric, "share", "unit"],
    rows: item.groups.flatMap((group) => group.values.map((value, i) => [group.level, value, group.shares[i], item.unit])),
    draw(plot, width, zoom) {
      const left = 52, height = 250, marks = [];
      const x = zoom.rescaleX(d3.scaleLinear(roomy(item.groups.flatMap((g) => g.values)), [left, width - 12])), y = d3.scaleLinear([0, 1], [height, 10]);
      axes(plot, x, y, width, height, left, "1", item.metric, item.unit);
      item.groups.forEach((group) => {
        const level = slot(group.level);
        const points = group.values.map((value, i) => [x(value), y(group.shares[i]), i]).filter((p) => p[0] >= left && p[0] <= width - 12);
        plot.append("path").attr("d", line((p) => p[0], (p) => p[1], d3.curveStepAfter)(points)).attr("fill", "none").attr("stroke", COLOURS[level]).attr("stroke-width", 2)
          .attr("stroke-dasharray", level ? `${8 - level} ${2 + (level % 3)}` : null);
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

function scaleChart(parent, over, curve) {
  figure(parent, {
    title: name(curve), describe: `Efficiency over ${over} against the smallest size, 95 % intervals over launches; dashed: ideal.`,
    header: [over, "launches", "value_per_rank", "speedup", "efficiency", "low", "high", "unit"], rows: curve.points.map((p) => [p.size, p.launches, p.value, p.speedup, p.efficiency, p.low, p.high, curve.unit]),
    draw(plot, width) {
      const left = 52, height = 230;
      const x = d3.scalePoint(curve.points.map((p) => p.size), [left, width - 12]).padding(.5);
      const y = d3.scaleLinear([0, Math.max(1.1, ...curve.points.flatMap((p) => [p.efficiency, p.high || 0]))], [height, 10]);
      plot.append("g").attr("class", "grid").attr("transform", `translate(${left},0)`).call(d3.axisLeft(y).ticks(5).tickSize(-(width - left - 12)).tickFormat("")).select(".domain").remove();
      plot.append("g").attr("transform", `translate(0,${height})`).call(d3.axisBottom(x));
      plot.append("g").attr("transform", `translate(${left},0)`).call(d3.axisLeft(y).ticks(5, "%"));
      plot.append("text").attr("x", width - 12).attr("y", height + 34).attr("text-anchor", "end").text(over);
      plot.append("line").attr("x1", left).attr("x2", width - 12).attr("y1", y(1)).attr("y2", y(1)).attr("stroke", "var(--faint)").attr("stroke-dasharray", "4 4");
      plot.append("path").attr("d", line((p) => x(p.size), (p) => y(p.efficiency))(curve.points)).attr("fill", "none").attr("stroke", COLOURS[0]).attr("stroke-width", 2);
      const marks = curve.points.map((p) => {
        if (p.low !== null) plot.append("line").attr("x1", x(p.size)).attr("x2", x(p.size)).attr("y1", y(p.low)).attr("y2", y(p.high)).attr("stroke", COLOURS[0]).attr("stroke-width", 3);
        plot.append("path").attr("d", symbol(0, 60)).attr("transform", `translate(${x(p.size)},${y(p.efficiency)})`).attr("fill", COLOURS[0]);
        return { x: x(p.size), y: y(p.efficiency), text: `${p.size} ${over}: efficiency ${(100 * p.efficiency).toFixed(1)} %\nspeed-up ${p.speedup}, ${quantity(p.value, curve.unit)} per rank\n${p.launches} launches` };
      });
      return { height: height + 42, marks };
    },
  });
}
