"""The figures as text."""


def number(value, width, digits=0):
    return f"{'-':>{width}}" if value is None else f"{value:>{width},.{digits}f}"


def mib(kib):
    return None if kib is None else kib / 1024


def behind(r):
    """What to say of a program that did not keep up with an open loop."""
    loop = r.get("open_loop")
    if not loop:
        return ""
    if not loop["reached"]:
        return "the rate was not reached"
    return "answers fell behind" if r["rate"] < 0.95 * loop["rate"] else ""


def case_lines(title, programs):
    yield ""
    yield title
    yield (f"{'':34}{'rate/s':>10}{'ours/it':>9}{'p50 us':>10}{'p99 us':>10}{'p99.9 us':>10}"
           f"{'CPU us: client':>16}{'server':>8}{'broker':>8}{'peak MiB':>10}{'conns':>7}")
    for label, r in programs.items():
        latency, cpu = r.get("latency_us") or {}, r["cpu_us"]
        peaks = [v for v in (r.get("peak_memory_kib") or {}).values() if v is not None]
        links = [v for v in (r.get("connections") or {}).values() if v is not None]
        line = f"  {label:32}{number(r['rate'], 10)}"
        line += number(r["ours_to_it"], 9, 2)
        for key in ("p50", "p99", "p999"):
            line += number(latency.get(key), 10)
        line += number(cpu.get("client"), 16, 1) + number(cpu.get("server"), 8, 1)
        line += number(cpu.get("broker"), 8, 1)
        line += number(mib(sum(peaks)) if peaks else None, 10, 1)
        line += number(sum(links) if links else None, 7)
        if behind(r):
            line += "   " + behind(r)
        if r.get("bytes_a_call"):
            line += f"   {max(r['bytes_a_call'].values()):,.0f} bytes a pending call"
        yield line


def target_lines(targets):
    yield ""
    yield f"{'target':70}{'wanted':>12}{'measured':>12}"
    for row in targets:
        reached = {None: "not measured", True: "reached", False: "NOT reached"}[row["reached"]]
        digits = 0 if (row["measured"] or 0) >= 1000 else 2
        yield (f"  {row['what']:68}{row['target']:>12}{number(row['measured'], 12, digits)}"
               f"   {reached}")


def report(report_data):
    lines = [f"{name:20} {value}" for name, value in report_data["environment"].items()]
    lines.append(f"{'rounds':20} {report_data['rounds']} (figures are medians, ratios those of "
                 "each round's ratio), "
                 f"profile {report_data['profile']}")
    lines += ["", "What each does:"]
    lines += [f"  {label}: {text}" for label, text in report_data["work"].items()]
    for name, case in report_data["cases"].items():
        lines += case_lines(f"{name}: {case['title']}", case["programs"])
    lines += target_lines(report_data["targets"])
    return "\n".join(lines)
