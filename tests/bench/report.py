"""How results are shown: a row a load with its bars, and a table in Markdown."""

MIB = 1 << 20
UNITS = {"K": 1 << 10, "M": MIB, "G": 1 << 30}
COLUMNS = [("load", 12), ("ns/sample", 10), ("floor", 8), ("ratio", 6), ("change", 8), ("lost", 10),
           ("PSS MiB", 8), ("flush ms", 9), ("delivered ms", 13), ("bars met", 9)]
MARKS = {True: "met", False: "MISSED", None: "not asked"}


def show(number, digits=0):
    return "-" if number is None else f"{number:,.{digits}f}"


def bytes_of(size):
    """Of a setting such as 256M."""
    return int(size[:-1]) * UNITS[size[-1]]


def print_row(cells):
    print(" ".join(str(cell).rjust(width) if i else str(cell).ljust(width)
                   for i, (cell, (_, width)) in enumerate(zip(cells, COLUMNS))).rstrip(),
          flush=True)


def print_head(quick):
    if quick:
        print("in miniature: what starts and ends a daemon weighs more than the samples do")
    print_row([name for name, _ in COLUMNS])


def limit_of(bar):
    """As "≤ 100 ns"."""
    return f"{'≥' if bar.least else '≤'} {bar.limit:,.10g}{bar.unit}"


def bars_met(load, result):
    """As "1 of 2": of those that are asked for."""
    marks = [bar.met(result) for bar in load.bars]
    return f"{marks.count(True)} of {len(marks) - marks.count(None)}"


def print_result(load, result, ns_before, lines):
    change = f"{(result['ns'] / ns_before - 1) * 100:+.1f} %" if ns_before else "-"
    print_row([load.name, show(result["ns"], 1), show(result["floor_ns"], 1),
               f"{result['floor_ratio']:.2f}", change, show(result["lost"]),
               show(result["pss_mib"], 1), show(result["flush_ms"]),
               show(result["delivered_ms"] or result["connection_ms"]), bars_met(load, result)])
    for bar in load.bars:
        print(f"    {MARKS[bar.met(result)]:9} {bar.what}: "
              f"{show(result.get(bar.key), bar.digits)}{bar.unit}, to reach {limit_of(bar)}")
    for line in lines:
        print(f"    {line}", flush=True)


# ---- Markdown

def table(heads, rows):
    return ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads),
            *("| " + " | ".join(row) + " |" for row in rows)]


def load_row(load, result):
    asked = [bar for bar in load.bars if bar.met(result) is not None]
    reached = [f"{show(result.get(bar.key), bar.digits)}{bar.unit}" for bar in asked]
    return [load.what, f"{show(result['ns'])} ns", f"{show(result['floor_ns'])} ns",
            show(result["lost"]),
            "; ".join(f"{bar.what} {limit_of(bar)}" if bar.limit else f"no {bar.what}"
                      for bar in asked) or "-",
            "; ".join(value if bar.met(result) else f"**{value}**"
                      for bar, value in zip(asked, reached)) or "-"]


def markdown(loads, results):
    """The last result. A bar that was missed stands in bold."""
    known = [(load, results[load.name]) for load in loads if load.name in results]
    if not known:
        return "Nothing was measured yet."
    dates, commands, cpus = (sorted({str(result[key]) for _, result in known})
                             for key in ("date", "command", "cpus"))
    lines = [f"Measured {', '.join(dates)} by `{'`, `'.join(commands)}` on {' or '.join(cpus)} "
             "CPUs: CPU is user and system time", "of all processes, flushes included; *floor* is "
             "a receiver that throws away what it gets; what is in bold was missed.", ""]
    lines += table(["load", "CPU a sample", "floor", "lost", "to reach", "reached"],
                   [load_row(*it) for it in known])
    peers = results.get("peers", {})
    if peers:
        lines += ["", "Others under the first load:", ""]
        lines += table(["program", "CPU a sample", "lost"],
                       [[name, f"{show(it['ns'])} ns", f"{it['lost'] / it['samples']:.0%}"]
                        for name, it in peers.items()])
    for _, result in known:
        if "bytes" in result:
            lines += ["", "Memory of a series with a name of 32 bytes and one sample in the "
                      "interval:", ""]
            lines += table(["type", "bytes of `memory_used`", "bytes of the worker's RSS"],
                           [[name, show(used), show(peak)]
                            for name, (used, peak) in result["bytes"].items()])
    return "\n".join(lines)
