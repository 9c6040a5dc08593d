#!/usr/bin/env python3
"""Holds what the collector promises to what Jaeger has: every trace of an error, every slow one, and a share of the others.

traces.py JAEGER-ANSWER EXEMPLARS KEEP-PERCENT SLOWER-THAN HEALTHY FILE...: files of traffic.py, where the errors are; the others are counted in
HEALTHY alone, where no span fails unseen. What is slow (SLOWER-THAN, in seconds) is told by the exemplars of the service's own histogram, as
Prometheus keeps them: a client may have waited for itself.
"""
import json
import math
import sys


def lines(*files):
    for file in files:
        with open(file, encoding="utf-8") as text:
            yield from map(json.loads, text)


def remarkable(trace, slower_than):
    """Whether a trace is kept for what it is, and not as one of a share."""
    spans = trace["spans"]
    begin, end = min(s["startTime"] for s in spans), max(s["startTime"] + s["duration"] for s in spans)
    failed = any(tag["key"] == "error" and tag["value"] in (True, "true") for s in spans for tag in s["tags"])
    return failed or (end - begin) / 1e6 > slower_than


def all_of(what, traces, kept):
    """Whether all of them are there."""
    there = sum(trace in kept for trace in traces)
    print(f"{what}: {there} of {len(traces)} are in Jaeger")
    return [] if there == len(traces) and there >= 10 else [f"{what}: not all, or too few to tell"]


def main(answer, exemplars, percent, slower_than, healthy, *files):
    percent, slower_than = float(percent) / 100, float(slower_than)
    with open(answer, encoding="utf-8") as text:
        kept = {trace["traceID"].zfill(32): trace for trace in json.load(text)["data"]}
    with open(exemplars, encoding="utf-8") as text:
        measured = [one for series in json.load(text)["data"] for one in series["exemplars"]]
    wrong = all_of("errors", {t["trace"] for t in lines(healthy, *files) if t["status"] >= 500}, kept)
    # Twice as long: histogram and span do not end at the same instant.
    wrong += all_of("slow ones", {one["labels"]["trace_id"] for one in measured if float(one["value"]) > 2 * slower_than}, kept)
    others = [t for t in lines(healthy) if 0 < t["status"] < 500 and not t["fallback"] and t["seconds"] < slower_than / 2]
    others = [t for t in others if not (t["trace"] in kept and remarkable(kept[t["trace"]], slower_than))]
    there, expected = sum(t["trace"] in kept for t in others), len(others) * percent
    spread = 4 * math.sqrt(expected * (1 - percent))
    print(f"others: {there} of {len(others)} are in Jaeger; {percent:.0%} are {expected:.0f}, and {spread:.0f} more or less are chance")
    if abs(there - expected) > spread or len(others) < 1000:
        wrong.append("others: not the share, or too few to tell")
    for each in wrong:
        print(f"FAIL {each}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
