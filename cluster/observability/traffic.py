#!/usr/bin/env python3
"""Sends requests to `users` at a rate for some seconds, each with a trace of its own, and writes down what became of each, a line of JSON.

traffic.py HOST:PORT SECONDS RATE FILE
"""
import http.client
import json
import random
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

# By share: users that are there, their orders, users that are not there, new ones, a page of them.
KINDS = [("user", 70), ("orders", 10), ("missing", 8), ("new", 7), ("page", 5)]
here = threading.local()


def asked(kind, trace):
    user = random.randint(1, 900)
    if kind == "new":
        return "POST", "/api/users", json.dumps({"name": "Ada", "email": f"{trace}@example.com"})
    return "GET", {"user": f"/api/users/{user}", "orders": f"/api/users/{user}/orders", "page": "/api/users?limit=5"}.get(kind, "/api/users/9999999"), None


def once(host, kind):
    trace = f"{random.getrandbits(128):032x}"
    method, path, body = asked(kind, trace)
    headers = {"traceparent": f"00-{trace}-{random.getrandbits(64) | 1:016x}-01", "content-type": "application/json"}
    at = time.time()
    try:
        if not hasattr(here, "connection"):
            here.connection = http.client.HTTPConnection(host, timeout=15)
        here.connection.request(method, path, body, headers)
        answer = here.connection.getresponse()
        answer.read()
        told = {"status": answer.status, "fallback": answer.getheader("cache-status") is not None}
    except (OSError, http.client.HTTPException) as failed:
        # The next one gets a connection of its own.
        here.connection.close()
        del here.connection
        told = {"status": 0, "fallback": False, "failed": repr(failed)}
    return {"trace": trace, "kind": kind, "seconds": time.time() - at, **told}


def main(host, seconds, rate, file):
    kinds, shares = zip(*KINDS)
    begin, asking = time.time(), []
    with ThreadPoolExecutor(48) as pool:
        for number in range(int(float(seconds) * float(rate))):
            time.sleep(max(0, begin + number / float(rate) - time.time()))
            asking.append(pool.submit(once, host, *random.choices(kinds, shares)))
    told = [each.result() for each in asking]
    with open(file, "w", encoding="utf-8") as out:
        out.writelines(json.dumps(line) + "\n" for line in told)
    count = {status: sum(line["status"] == status for line in told) for status in sorted({line["status"] for line in told})}
    print(f"{len(told)} requests in {time.time() - begin:.0f} s: {count}, {sum(line['fallback'] for line in told)} fallbacks")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
