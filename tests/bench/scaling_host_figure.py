"""The figure of scaling_host.py: each cost against the number of ranks, both logarithmic, with a line for what grows in proportion."""

import math
import statistics

COSTS = (("start_s", "start: until the point begins", "s", 1), ("gather_s", "gather of a point", "ms", 1e3),
         ("commit_s", "commit of a point", "ms", 1e3), ("file_bytes", "result file", "KiB", 1 / 1024))
COLOURS = {1: "#1f6feb", 2: "#b35900", 4: "#1a7f37"}
WIDTH, HEIGHT, LEFT, TOP, GAP = 360, 250, 58, 34, 24


def powers(low, high, base):
    first, last = math.floor(math.log(low, base) + 1e-9), math.ceil(math.log(high, base) - 1e-9)
    return [base**k for k in range(first, max(last, first + 1) + 1)]


class Panel:
    def __init__(self, rows, cost, column, line):
        self.rows, (self.name, self.title, self.unit, self.factor) = rows, cost
        self.x0, self.y0 = column * (WIDTH + GAP) + LEFT, line * (HEIGHT + GAP) + TOP
        values = [self.value(row) for row in rows]
        self.ranks = sorted({row["ranks"] for row in rows})
        self.ticks = powers(min(values), max(values), 10)

    def value(self, row):
        return max(row[self.name] * self.factor, 1e-3)

    def x(self, ranks):
        span = math.log(self.ranks[-1] / self.ranks[0]) or 1
        return self.x0 + (WIDTH - LEFT) * math.log(ranks / self.ranks[0]) / span

    def y(self, value):
        return self.y0 + (HEIGHT - TOP - 40) * (1 - math.log(value / self.ticks[0]) / math.log(self.ticks[-1] / self.ticks[0]))

    def path(self, points):
        return "M" + "L".join(f"{self.x(ranks):.1f},{self.y(value):.1f}" for ranks, value in points)

    def draw(self):
        bottom, right = self.y(self.ticks[0]), self.x(self.ranks[-1])
        out = [f'<text x="{self.x0}" y="{self.y0 - 10}" class="title">{self.title}, {self.unit}</text>']
        for tick in self.ticks:
            out.append(f'<path class="grid" d="M{self.x0},{self.y(tick):.1f}H{right}"/><text class="tick" text-anchor="end" x="{self.x0 - 6}" '
                       f'y="{self.y(tick) + 4:.1f}">{tick:g}</text>')
        for ranks in self.ranks:
            out.append(f'<text class="tick" text-anchor="middle" x="{self.x(ranks):.1f}" y="{bottom + 16:.1f}">{ranks}</text>')
        out.append(f'<text class="tick" text-anchor="middle" x="{(self.x0 + right) / 2:.1f}" y="{bottom + 32:.1f}">ranks</text>')
        # In proportion to the ranks, through the median of the largest number of them on one node.
        largest = statistics.median(self.value(row) for row in self.rows if row["ranks"] == self.ranks[-1])
        line = [(ranks, largest * ranks / self.ranks[-1]) for ranks in self.ranks if largest * ranks / self.ranks[-1] >= self.ticks[0]]
        if len(line) > 1:
            out.append(f'<path class="linear" d="{self.path(line)}"><title>in proportion to the ranks</title></path>')
        for nodes in sorted({row["nodes"] for row in self.rows}):
            mine = [row for row in self.rows if row["nodes"] == nodes]
            colour = COLOURS.get(nodes, "#6e7781")
            medians = [(ranks, statistics.median(self.value(row) for row in mine if row["ranks"] == ranks)) for ranks in sorted({row["ranks"] for row in mine})]
            out.append(f'<path fill="none" stroke="{colour}" stroke-width="1.6" d="{self.path(medians)}"/>')
            out += [f'<circle r="2.4" fill="{colour}" fill-opacity="0.6" cx="{self.x(row["ranks"]):.1f}" cy="{self.y(self.value(row)):.1f}"/>' for row in mine]
        return out


def figure(rows):
    """SVG. @param rows as in scaling-host.csv, numbers."""
    width, height = 2 * (WIDTH + GAP) + GAP, 2 * (HEIGHT + GAP) + TOP
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" font-family="sans-serif" font-size="11">',
           "<title>The program's own costs by ranks and nodes</title>",
           "<style>.title{font-weight:bold;font-size:12px}.grid{stroke:#d0d7de}.tick{fill:#57606a}.linear{fill:none;stroke:#57606a;stroke-dasharray:3 4}</style>",
           f'<rect width="{width}" height="{height}" fill="#ffffff"/>']
    for i, cost in enumerate(COSTS):
        out += Panel(rows, cost, i % 2, i // 2).draw()
    x = LEFT
    for nodes in sorted({row["nodes"] for row in rows}):
        out.append(f'<text x="{x}" y="{height - 10}" fill="{COLOURS.get(nodes, "#6e7781")}">● {nodes} node{"" if nodes == 1 else "s"}</text>')
        x += 80
    out.append(f'<text class="tick" x="{x}" y="{height - 10}">points: launches; lines: medians; dotted: in proportion to the ranks</text></svg>')
    return "\n".join(out) + "\n"
