#!/usr/bin/env python3
"""Holds every query of the charts to what Prometheus has scraped: each part of it selects something, and its labels are there.

queries.py PROMETHEUS SINCE PARTS DASHBOARD...: rules come from Prometheus itself, dashboards from files. PARTS is the program of
cluster/go/promql. A part is looked for at any moment since SINCE, and as long after now as the longest `offset` looks back.
"""
import json
import re
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

STEP, AHEAD = 5, 11 * 60
# What a dashboard that shows one of several is set to.
CHOSEN = {"namespace": "observability", "job": "users-management"}


class Prometheus:
    def __init__(self, address, since):
        self.address, self.since, self.until, self.known = address, since, time.time() + AHEAD, {}

    def ask(self, path, **given):
        url = f"{self.address}/api/v1/{path}?{urllib.parse.urlencode(given)}"
        try:
            with urllib.request.urlopen(url, timeout=60) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as refused:
            raise SystemExit(f"{given}: {json.load(refused)['error']}") from refused

    def series(self, query):
        """The labels of what was found at any moment, and was a number then."""
        if query not in self.known:
            found = self.ask("query_range", query=query, start=self.since, end=self.until, step=STEP)["result"]
            self.known[query] = [s["metric"] for s in found if any(value != "NaN" for _, value in s["values"])]
        return self.known[query]


def rules(prometheus):
    for group in prometheus.ask("rules")["groups"]:
        file = group["file"].rsplit("/", 1)[-1]
        for rule in group["rules"]:
            if rule["health"] != "ok":
                raise SystemExit(f"{file}: {rule['name']} is {rule['health']}: {rule.get('lastError', 'never evaluated')}")
            told = re.findall(r"\$labels\.(\w+)", " ".join(rule.get("annotations", {}).values()))
            yield file, rule["name"], rule["query"], told


def variables(prometheus, board):
    """What Grafana would put for each variable, and what the query of each has found."""
    values, asked = {"datasource": "prometheus", "__rate_interval": "30s"}, []
    for variable in board["templating"]["list"]:
        if variable["type"] != "query":
            continue
        query = variable["query"] if isinstance(variable["query"], str) else variable["query"]["query"]
        query, name, several = fill(query, values), variable["name"], variable.get("includeAll")
        selector, label = re.fullmatch(r"label_values\((.+), (\w+)\)", query).groups()
        found = prometheus.ask(f"label/{label}/values", **{"match[]": selector, "start": prometheus.since, "end": prometheus.until})
        values[name] = "(" + "|".join(found) + ")" if several else CHOSEN[name]
        asked.append((name, query, found if several else [v for v in found if v == CHOSEN[name]]))
    return values, asked


def fill(query, values):
    return re.sub(r"\$(\w+)", lambda name: values[name[1]], query)


def panels(board, file, values):
    for panel in board["panels"]:
        for target in panel.get("targets", []):
            told = re.findall(r"{{ *(\w+) *}}", target.get("legendFormat", ""))
            yield file, f"{panel['title']} {target['refId']}", fill(target["expr"], values), told


def faults(prometheus, told, parts):
    """What is missing: the smallest parts that find nothing, and labels that nothing has."""
    empty = {part["expr"] for part in parts if not prometheus.series(part["expr"])}
    yield from (f"nothing: {one}" for one in sorted(empty) if not any(other in one for other in empty - {one}))
    for part in parts:
        found = prometheus.series(part["expr"])
        yield from (f"no label {label}: {part['expr']}" for label in part["labels"] or [] if found and not any(s.get(label) for s in found))
    whole = prometheus.series(parts[0]["expr"])
    yield from (f"no label {label}, which is shown" for label in told if whole and not any(s.get(label) for s in whole))


def taken_apart(program, queries):
    told = subprocess.run([program], input=json.dumps(queries), capture_output=True, text=True, check=True, timeout=60)
    return json.loads(told.stdout)


def main(address, since, program, *boards):
    prometheus = Prometheus(address, float(since))
    queries, rows, wrong = list(rules(prometheus)), [], []
    for path in boards:
        file = path.rsplit("/", 1)[-1]
        with open(path, encoding="utf-8") as text:
            board = json.load(text)
        values, asked = variables(prometheus, board)
        rows += [(file, f"variable {name}", len(found), "") for name, _, found in asked]
        wrong += [(file, f"variable {name}", f"nothing: {query}") for name, query, found in asked if not found]
        queries += panels(board, file, values)
    apart = taken_apart(program, [query for _, _, query, _ in queries])
    for (file, name, query, told), parts in zip(queries, apart):
        at_times = "bool" in parts[0]["expr"] and prometheus.series(query)
        rows.append((file, name, len(prometheus.series(parts[0]["expr"])), "true at times" if at_times else ""))
        wrong += [(file, name, fault) for fault in faults(prometheus, told, parts)]
    print(f"{'file':<16} {'query':<64} series")
    for file, name, count, note in rows:
        print(f"{file:<16} {name:<64} {count:>6}  {note}".rstrip())
    for file, name, fault in wrong:
        print(f"FAIL {file}: {name}: {fault}")
    print(f"{len(rows)} queries, {sum(map(len, apart))} parts, {len(wrong)} faults")
    return 1 if wrong or not queries else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
