#!/usr/bin/env python3
"""page.py FILE: reads a report of bench/run.py from standard input and writes one page with plots.

Nothing of the page lies elsewhere. Lines and letters of the plots take the colour of the text, so
that they are legible on paper and in the dark.
"""

import html
import io
import json
import pathlib
import re
import sys

import matplotlib

matplotlib.use("svg")
# pylint: disable=wrong-import-position
from harness import table
from matplotlib import pyplot, ticker

TEXT = "#010203"  # replaced by the colour of the page's text
COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6bb1"]
MARKERS = "osD^vPX"
PYTHON = ("oslo.messaging", "kombu")  # whose bars leave no room for others

STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 68rem; margin: 2rem auto; padding: 0 1rem; }
h1, h2 { line-height: 1.2; }
table { border-collapse: collapse; margin: 0 0 1.5rem; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .7rem; text-align: right; border-bottom: 1px solid #8886; }
th:first-child, td:first-child { text-align: left; }
caption { text-align: left; font-weight: 600; padding: .4rem 0; }
.no { font-weight: 700; }
svg { max-width: 100%; height: auto; }
figure { margin: 1rem 0 2rem; break-inside: avoid; }
figcaption { font-size: .9em; }
.wide { overflow-x: auto; }
@media print { body { color: #000; background: #fff; max-width: none; font-size: 10px; } }
"""


def figure(size=(9.5, 4.6)):
    drawing, axes = pyplot.subplots(figsize=size, layout="constrained")
    drawing.patch.set_alpha(0)
    axes.patch.set_alpha(0)
    axes.grid(True, which="major")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return drawing, axes


def svg(drawing, caption):
    target = io.StringIO()
    drawing.savefig(target, format="svg", transparent=True, metadata={"Date": None})
    pyplot.close(drawing)
    text = target.getvalue()
    text = text[text.index("<svg"):].replace(TEXT, "currentColor")
    # Ids of several drawings in one page must differ.
    prefix = f"d{svg.number}-"
    svg.number += 1
    text = re.sub(r'(\bid="|href="#|url\(#)', lambda m: m.group(1) + prefix, text)
    return f"<figure>{text}<figcaption>{html.escape(caption)}</figcaption></figure>"


svg.number = 0


def thousands(value, _position):
    return f"{value:,.0f}"


def readable(axis):
    """Ticks at 1, 2 and 5 of each decade, with numbers: a decade alone is often off the page."""
    axis.set_major_locator(ticker.LogLocator(base=10, subs=(1, 2, 5)))
    axis.set_major_formatter(ticker.FuncFormatter(thousands))


def throughput(cases):
    """Rate against calls in flight."""
    lines = {}
    for name, case in cases.items():
        if re.fullmatch(r"call-\d+", name):
            for label, r in case["programs"].items():
                lines.setdefault(label, []).append((case["in_flight"], r["rate"]))
    if not lines:
        return ""
    drawing, axes = figure()
    for i, (label, points) in enumerate(lines.items()):
        axes.plot(*zip(*sorted(points)), marker=MARKERS[i % 7], color=COLOURS[i % 7], label=label)
    axes.set(xscale="log", yscale="log", xlabel="calls in flight", ylabel="calls a second")
    ticks = sorted({x for points in lines.values() for x, _ in points})
    axes.set_xticks(ticks, [f"{t:,}" for t in ticks])
    axes.minorticks_off()
    readable(axes.yaxis)
    axes.legend(frameon=False, labelcolor=TEXT, loc="center left", bbox_to_anchor=(1, 0.5))
    return svg(drawing, "Calls a second against calls in flight; both scales logarithmic. Higher is "
                        "better.")


def distribution(cases, name, caption):
    """Latency against percentile, tails stretched."""
    drawn = 0
    drawing, axes = figure()
    for label, r in cases.get(name, {"programs": {}})["programs"].items():
        curve = (r.get("latency_us") or {}).get("curve") or []
        points = [(1 / (1 - f), us) for f, us in curve if f < 1]
        if points:
            late = table.behind(r)
            axes.plot(*zip(*points), marker=MARKERS[drawn % 7], markersize=4,
                      color=COLOURS[drawn % 7], label=label + (f"\n({late})" if late else ""))
            drawn += 1
    if not drawn:
        pyplot.close(drawing)
        return ""
    axes.set(xscale="log", yscale="log", xlabel="percentile", ylabel="latency, microseconds")
    places = [0.5, 0.9, 0.99, 0.999, 0.9999]
    axes.set_xticks([1 / (1 - p) for p in places], [f"{100 * p:g} %" for p in places])
    axes.minorticks_off()
    readable(axes.yaxis)
    axes.legend(frameon=False, labelcolor=TEXT, loc="center left", bbox_to_anchor=(1, 0.5))
    return svg(drawing, caption)


def processor_time(cases, name, caption, without=()):
    """Bars of client, server and broker."""
    programs = cases[name]["programs"] if name in cases else {}
    labels = [label for label in programs if not label.startswith(without)][::-1]
    if not labels:
        return ""
    drawing, axes = figure((9.5, 1.2 + 0.42 * len(labels)))
    left = [0.0] * len(labels)
    for colour, who in zip(COLOURS, ("client", "server", "broker")):
        values = [programs[label]["cpu_us"].get(who) or 0 for label in labels]
        axes.barh(labels, values, left=left, color=colour, label=who, height=0.6)
        left = [a + b for a, b in zip(left, values)]
    for label, total in zip(labels, left):
        axes.annotate(f" {total:,.0f}", (total, label), va="center", color=TEXT)
    axes.grid(False, axis="y")
    axes.margins(x=0.1)
    axes.set_xlabel("CPU a message, microseconds")
    axes.legend(frameon=False, labelcolor=TEXT, loc="center left", bbox_to_anchor=(1, 0.5))
    return svg(drawing, caption)


def cell(value, digits=0):
    return "<td>-</td>" if value is None else f"<td>{value:,.{digits}f}</td>"


def target_table(rows):
    lines = []
    for row in rows:
        word = {None: "not measured", True: "reached", False: "not reached"}[row["reached"]]
        mark = ' class="no"' if row["reached"] is False else ""
        digits = 0 if (row["measured"] or 0) >= 1000 else 2
        lines.append(f"<tr><td>{html.escape(row['what'])}</td><td>{html.escape(row['target'])}</td>"
                     f"{cell(row['measured'], digits)}<td{mark}>{word}</td></tr>")
    return ("<table><tr><th>what</th><th>target</th><th>measured</th><th></th></tr>"
            + "".join(lines) + "</table>")


def case_table(name, case):
    lines = []
    for label, r in case["programs"].items():
        latency, cpu = r.get("latency_us") or {}, r["cpu_us"]
        peaks = [v for v in (r.get("peak_memory_kib") or {}).values() if v is not None]
        links = [v for v in (r.get("connections") or {}).values() if v is not None]
        late = table.behind(r)
        lines.append(
            f"<tr><td>{html.escape(label + (f' ({late})' if late else ''))}</td>" + cell(r["rate"])
            + cell(r["ours_to_it"], 2)
            + "".join(cell(latency.get(p)) for p in ("p50", "p99", "p999"))
            + "".join(cell(cpu.get(who), 1) for who in ("client", "server", "broker"))
            + cell(sum(peaks) / 1024 if peaks else None, 1) + cell(sum(links) if links else None)
            + "</tr>")
    head = "".join(f"<th>{h}</th>" for h in (
        "", "a second", "ours / it", "p50 µs", "p99 µs", "p99.9 µs", "CPU µs client", "server",
        "broker", "peak MiB", "connections"))
    return (f'<div class="wide"><table><caption>{html.escape(name)}: {html.escape(case["title"])}'
            f"</caption><tr>{head}</tr>{''.join(lines)}</table></div>")


def page(report):
    matplotlib.rcParams.update({
        "svg.fonttype": "none", "svg.hashsalt": "bench", "font.family": "sans-serif",
        "font.size": 11, "text.color": TEXT, "axes.labelcolor": TEXT, "axes.edgecolor": TEXT,
        "xtick.color": TEXT, "ytick.color": TEXT, "grid.color": "#888888", "grid.alpha": 0.35,
        "grid.linewidth": 0.6})
    cases = report["cases"]
    facts = "".join(f"<tr><td>{html.escape(str(k))}</td><td>{html.escape(str(v))}</td></tr>"
                    for k, v in report["environment"].items())
    work = "".join(f"<li><b>{html.escape(k)}</b>: {html.escape(v)}</li>"
                   for k, v in report["work"].items())
    return "\n".join([
        '<!doctype html><html lang="en"><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>Benchmarks of oslo.messaging for C++</title><style>{STYLE}</style>",
        "<h1>Benchmarks of oslo.messaging for C++</h1>",
        f"<p>Medians of {report['rounds']} rounds, profile {html.escape(report['profile'])}; all "
        "programs in turn on one broker and one machine. Ratios are medians of each round's ratio."
        "</p>",
        "<h2>Targets</h2>", target_table(report["targets"]),
        "<h2>Throughput</h2>", throughput(cases),
        "<h2>Latency</h2>",
        distribution(cases, "call-1", "One call at a time; vertical scale logarithmic. Lower is "
                                      "better."),
        distribution(cases, "call-64", "64 calls in flight: mostly time spent waiting for the other "
                                       "63."),
        *(distribution(cases, name, f"{case['title'].capitalize()}.")
          for name, case in cases.items() if name.startswith("rate-")),
        "<h2>CPU a message</h2>",
        processor_time(cases, "call-64", "Calls, 64 in flight. Lower is better."),
        processor_time(cases, "call-64", "The same without the Python peers.", PYTHON),
        processor_time(cases, "drain", "Casts drained; the server and the broker."),
        processor_time(cases, "drain", "The same without the Python peers.", PYTHON),
        processor_time(cases, "notify", "Notifications with confirms, without the Python peers.",
                       PYTHON),
        "<h2>What each does</h2><ul>", work, "</ul>",
        "<h2>All figures</h2>", *(case_table(n, c) for n, c in cases.items()),
        "<h2>Where</h2><table>", facts, "</table></html>\n"])


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    target = pathlib.Path(sys.argv[1])
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(page(json.load(sys.stdin)), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
