#!/usr/bin/env python3
"""sparkmpi report: what is in the page, that no text of a file can run in it, and, where Chromium is installed, the page at work.

    report.py --sparkmpi PATH --fixtures DIR
"""

import csv
import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import unquote

import h5py
from launch import Checks, options_of, run, run_alone

SKIPPED = 77
HOSTILE = "</script><script>window.hostile=1</script><img src=x onerror=window.hostile=1>&<!--"
WATCH = """<script>
window.seen = [];
addEventListener("error", (event) => seen.push("error: " + event.message));
addEventListener("unhandledrejection", (event) => seen.push("rejection: " + event.reason));
addEventListener("securitypolicyviolation", (event) => seen.push("request: " + event.blockedURI));
for (const kind of ["error", "warn"]) console[kind] = (...words) => seen.push(kind + ": " + words.join(" "));
</script>"""
PROBE = """<script>
addEventListener("load", () => setTimeout(() => {
  const answer = { ready: document.documentElement.dataset.ready, hostile: "hostile" in window, figures: {} };
  for (const section of document.querySelectorAll("section")) {
    const figures = [...section.querySelectorAll("figure svg[role=img]")];
    answer.figures[section.id] = figures.reduce((sum, svg) => sum + svg.querySelectorAll("path[d]:not(.domain), rect").length, 0);
  }
  const factor = document.getElementById("factor");
  if (factor) {
    answer.factors = [...factor.options].map((option) => option.textContent);
    const keys = () => [...document.querySelectorAll("#comparison .key li")].map((item) => item.textContent).join();
    const before = keys();
    factor.value = factor.options.length - 1;
    factor.dispatchEvent(new Event("change"));
    answer.switched = before !== keys();
    factor.value = 0;
    factor.dispatchEvent(new Event("change"));
    answer.back = before === keys();
  }
  // What a screen reader and the Tab key find: each stop has a name, the order is the page's own, no level of heading is skipped.
  const stops = [...document.querySelectorAll("a[href], button, select, summary, [tabindex]")];
  const named = (stop) => stop.getAttribute("aria-label") || stop.closest("label") || (stop.tagName !== "SELECT" && stop.textContent.trim());
  answer.unnamed = stops.filter((stop) => !named(stop)).map((stop) => stop.outerHTML.slice(0, 80));
  answer.out_of_order = stops.filter((stop) => stop.tabIndex !== 0).length;
  const labels = [...document.querySelectorAll("[role=region], main section")].map((each) => each.getAttribute("aria-label") || each.getAttribute("aria-labelledby"));
  answer.regions = labels.length === new Set(labels).size && labels.every(Boolean);
  const depths = [...document.querySelectorAll("h1, h2, h3")].map((heading) => Number(heading.tagName[1]));
  answer.headings = depths[0] === 1 && depths.every((depth, i) => i === 0 || depth <= depths[i - 1] + 1);
  answer.live = document.getElementById("tip").getAttribute("aria-live");
  answer.invisible = stops.filter((stop) => { stop.focus(); return document.activeElement === stop && getComputedStyle(stop).outlineStyle === "none"; }).map((stop) => stop.outerHTML.slice(0, 80));
  const details = document.querySelector("figure details");
  details.open = true;
  const plot = document.querySelector("figure svg[role=img]");
  plot.focus();
  plot.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", bubbles: true }));
  answer.tip = document.getElementById("tip").textContent;
  document.getElementById("theme").click();
  answer.theme = document.documentElement.dataset.theme;
  answer.too_wide = document.documentElement.scrollWidth > innerWidth;
  answer.requests = performance.getEntriesByType("resource").length;
  answer.seen = seen;
  answer.text = document.body.innerText.includes("<script>window.hostile=1");
  setTimeout(() => {  // "toggle" comes after this turn
    answer.rows = details.querySelectorAll("tbody tr").length;
    document.documentElement.dataset.probe = encodeURIComponent(JSON.stringify(answer));
  }, 100);
}, 200));
</script>"""


def data_of(page):
    """The JSON block, found as a browser finds its end: by the next "</script"."""
    block = re.search(r'<script id="data" type="application/json">(.*?)</script', page, re.S).group(1)
    return json.loads(block), block


def probe(chromium, page, scratch, width):
    """What the page says of itself after it has been used."""
    copy = Path(scratch, "probed.html")
    copy.write_text(page.replace("<title>", WATCH + "<title>", 1).replace("</body>", PROBE + "</body>"), encoding="utf-8")
    result = subprocess.run([chromium, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={scratch}/profile", "--virtual-time-budget=5000",
                             f"--window-size={width},900", "--dump-dom", copy.as_uri()], capture_output=True, text=True, timeout=120)
    found = re.search(r'data-probe="([^"]*)"', result.stdout)
    if not found:
        return {"seen": [f"the page did not answer: {result.stderr[-500:]}"]}
    return json.loads(unquote(found.group(1)))


def printed(chromium, page, scratch):
    """How many pages the report prints on."""
    source, pdf = Path(scratch, "printed.html"), Path(scratch, "printed.pdf")
    source.write_text(page, encoding="utf-8")
    subprocess.run([chromium, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={scratch}/profile", "--virtual-time-budget=5000",
                    f"--print-to-pdf={pdf}", source.as_uri()], capture_output=True, timeout=120)
    return len(re.findall(rb"/Type ?/Page\b(?!s)", pdf.read_bytes())) if pdf.exists() else 0


def large_study(path):
    """1,000 launches in two environments, as the CSV that `sparkmpi export` writes."""
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["trial", "environment", "order", "kernel", "model", "rank", "metric", "unit", "better", "iteration", "value"])
        for trial in range(1000):
            for number, metric in enumerate(("decode_tokens_per_s", "prefill_tokens_per_s", "output_tokens_per_s", "requests_per_s")):
                for sample in range(3):
                    value = 100 + number + (trial * 7919 + sample * 31) % 97 / 50
                    writer.writerow([f"t{trial}", ("native", "docker")[trial % 2], trial, "inference", f"model-{trial // 2 % 4}", 0, metric, "1/s", "higher", sample, value])


def scaling_runs(path):
    """A model divided over 1, 2 and 4 ranks (only the first of them has the rate), and as many replicas; three launches of each."""
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["trial", "environment", "ranks", "kernel", "model", "parameters", "rank", "metric", "unit", "better", "iteration", "value"])
        for trial in range(3):
            for ranks in (1, 2, 4):
                writer.writerow([f"s{ranks}-{trial}", "native", ranks, "inference", "M", f"tp={ranks}", 0, "decode_tokens_per_s", "1/s", "higher", 0, (100 + trial) * ranks**0.9])
                for rank in range(ranks):
                    writer.writerow([f"w{ranks}-{trial}", "native", ranks, "inference", "M", "tp=1", rank, "decode_tokens_per_s", "1/s", "higher", 0, 100 + trial - ranks])
    return path


def main():
    arguments = options_of(__doc__, "fixtures").parse_args()
    checks = Checks()
    study = arguments.fixtures.resolve() / "analysis" / "phase1_runs.json"
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:

        def start(*words):
            return run_alone(arguments.sparkmpi, words, scratch)

        def report(*words):
            result = start("report", *words, "-o", "report.html", "--force")
            checks.expect(result.returncode == 0, f"report {words}: {result.stderr}")
            return Path(scratch, "report.html").read_text(encoding="utf-8")

        phase1 = report(study, "--device", "gb10", "--title", HOSTILE)
        data, block = data_of(phase1)
        compared = json.loads(start("compare", study, "--format", "json").stdout)
        said = {answer["sentence"] for row in data["comparisons"][0]["rows"] for answer in row["answers"]}
        checks.expect(said == {row["sentence"] for row in compared}, "the report's sentences are not those of compare")
        audit = json.loads(start("audit", study, "--device", "gb10", "--format", "json").stdout)
        checks.expect([each["what"] for each in data["audit"]["findings"]] == [each["what"] for each in audit["findings"]],
                      "the report's findings are not those of audit")
        points = sum(len(group["values"]) for row in data["comparisons"][0]["rows"] for group in row["groups"])
        launches = {(row["kernel"], row["model"], row["condition"], row["metric"]): row["launches"] + row["reference_launches"]
                    for row in compared if "reference_launches" in row}
        checks.expect(points >= 18 * 10 and (not launches or points == sum(launches.values())), f"{points} raw points")
        checks.expect("<" not in block, "an unescaped < in the data")
        checks.expect(data["title"] == HOSTILE and "<title></script>" not in phase1, "the title is not escaped")
        checks.expect(not re.search(r'(?:src|href)\s*=\s*"(?:https?:)?//', phase1) and "default-src 'none'" in phase1, "the page refers to the network")
        checks.expect("Redistribution and use" in phase1 or "Permission to use" in phase1, "the chart library's licence is missing")

        for index, words in enumerate((["stream", "--footprint", "64K", "--operation", "read", "-r", "5"], ["kv_budget", "-m", "Gemma-2B"])):
            result = run(arguments.sparkmpi, 2, [*words, "-o", f"run{index}.h5"], scratch)
            checks.expect(result.returncode == 0, f"the run failed: {result.stderr}")
        with h5py.File(Path(scratch, "run0.h5"), "a") as file:
            file["ranks/host"][0] = HOSTILE
            file["provenance"].attrs["command_line"] = HOSTILE
        with h5py.File(Path(scratch, "run1.h5"), "a") as file:
            pools = next(iter(file["kernels"].values()))["budget_pool"]
            pools[0, 0] = HOSTILE
        runs = report("run0.h5", "run1.h5")
        own, block = data_of(runs)
        checks.expect("<" not in block and HOSTILE in json.dumps(own, ensure_ascii=False), "the hostile host name is lost or not escaped")
        checks.expect({"timelines", "kv", "balance", "distributions", "node_ranks", "provenance"} <= own.keys(), f"sections: {list(own)}")
        checks.expect("charge" not in own, "a section without data")
        with h5py.File(Path(scratch, "run1.h5")) as file:
            stored = next(iter(file["kernels"].values()))["kv_budget_bytes"][0, 0]
        checks.expect(own["kv"]["items"][0]["budgets"][0]["bytes"] in (stored, None), "the KV budget is not the file's")
        for item in own["balance"]["items"]:
            total = sum(term["change"] for term in item["terms"]) + item["residual"]
            checks.expect(abs(total - item["free_change"]) < 1, f"the balance does not add up: {item}")

        markdown = start("report", "run0.h5", "run1.h5", "--format", "md").stdout
        checks.expect("\n## Provenance" in markdown and "\n## KV budget" in markdown, "sections are missing in Markdown")
        checks.expect("<script>" not in markdown.replace("\\<", ""), "unescaped markup in Markdown")

        large_study(Path(scratch, "large.csv"))
        large = report("large.csv")
        size = Path(scratch, "report.html").stat().st_size
        checks.expect(size < 3_000_000, f"{size} bytes for 1,000 trials")
        checks.expect({"environment", "model"} <= {each["factor"] for each in data_of(large)[0]["comparisons"]}, "not compared by all that varies")
        checks.expect(start("report", "large.csv", "-o", "report.html").returncode == 2, "a report was overwritten without --force")
        scaled = data_of(report(scaling_runs(Path(scratch, "scaling.csv"))))[0]["scaling"]["kinds"]
        checks.expect([(kind["scaling"], kind["over"]) for kind in scaled] == [("strong", "tp"), ("weak", "ranks")], f"scaling: {scaled}")
        checks.expect(all("does not scale" in curve["fit"]["sentence"] for kind in scaled for curve in kind["curves"]), "a curve without a fit")
        strong = start("scale", "--strong", "scaling.csv")
        checks.expect("Amdahl" in strong.stdout and "one model divided over ranks" in strong.stdout, f"scale --strong: {strong.stdout}")
        checks.expect(start("scale", "scaling.csv", "--over", "tp").returncode == 2, "weak scaling over tp")
        checks.expect(start("report", "large.csv", "--format", "pdf").returncode == 2, "--format pdf")
        text = start("report", "--help")
        checks.expect(text.returncode == 0 and "Example: sparkmpi report" in text.stdout, "report --help has no example")

        if chromium:
            pages = printed(chromium, phase1, scratch)
            checks.expect(3 <= pages <= 20, f"the report prints on {pages} pages")
        for page, width, sections in ((phase1, 1200, {"comparison", "distributions"}), (large, 1200, {"comparison"}),
                                      (runs, 500, {"timelines", "balance", "kv", "node_ranks"})) if chromium else ():
            answer = probe(chromium, page, scratch, width)
            checks.expect(not answer["seen"], f"console or network: {answer['seen']}")
            checks.expect(answer.get("ready") == "yes" and answer.get("requests") == 0, f"the page: {answer}")
            checks.expect(answer.get("hostile") is False, "text of a file ran in the page")
            checks.expect(not answer.get("too_wide"), f"the page is wider than {width} pixels")
            empty = {name for name in sections if answer.get("figures", {}).get(name, 0) < 2}
            checks.expect(not empty, f"nothing drawn in {empty}: {answer.get('figures')}")
            checks.expect(answer.get("tip"), "the arrow keys say nothing")
            checks.expect(answer.get("unnamed") == [] and answer.get("out_of_order") == 0 and answer.get("invisible") == [],
                          f"Tab key: without a name {answer.get('unnamed')}, without visible focus {answer.get('invisible')}")
            checks.expect(answer.get("regions") and answer.get("headings") and answer.get("live") == "polite", f"a screen reader's view: {answer}")
            checks.expect(answer.get("rows"), "the table of a figure's data is empty")
            checks.expect(answer.get("theme") in ("dark", "light"), "the colour switch does nothing")
            if page is not runs:
                checks.expect(answer.get("switched") and answer.get("back"), f"the factor switch does nothing: {answer}")
            if page is not large:
                checks.expect(answer.get("text"), "the hostile text is not shown as text")
    if not chromium and not checks.failures:
        print(f"{checks.count} checks passed; skipped: no Chromium is installed, so the page was not opened")
        raise SystemExit(SKIPPED)
    checks.finish()


if __name__ == "__main__":
    main()
