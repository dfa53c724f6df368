#!/usr/bin/env python3
"""A worker for examples/order.bpmn: `examples/worker.py charge ship` works jobs of these topics until Ctrl-C.

    TIDEGATE_URL     the gate, http://127.0.0.1:8080 unless said
    TIDEGATE_TOKEN   a token with the scope jobs:work
    --jobs N         stop after N jobs

Standard library only: to write your own, copy this file and change HANDLERS.
"""

import argparse
import json
import os
import socket
import sys
import time
import urllib.error
import urllib.request

URL = os.environ.get("TIDEGATE_URL", "http://127.0.0.1:8080").rstrip("/")
TOKEN = os.environ.get("TIDEGATE_TOKEN", "")
# Who locks the jobs. Each process has a name of its own, or two of them could complete each other's jobs.
WORKER = f"{socket.gethostname()}-{os.getpid()}"
POLL_SECONDS = 30


def charge(job):
    return {"receipt": f"R-{job['processInstanceId'][-8:]}"}


def ship(job):
    return {"parcel": f"P-{job['processInstanceId'][-8:]}"}


HANDLERS = {"charge": charge, "ship": ship}


class Refused(Exception):
    """The gate said no; `code` says why, in a word that stays the same."""

    def __init__(self, status, problem):
        super().__init__(f"{status} {problem.get('code')}: {problem.get('message')}")
        self.status = status
        self.code = problem.get("code")


def post(path, body):
    """One request. Waits and tries again while the gate is away (no answer, 429, 503): it may be restarting."""
    request = urllib.request.Request(
        URL + path,
        data=json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"},
    )
    pause = 1
    while True:
        try:
            with urllib.request.urlopen(request, timeout=POLL_SECONDS + 15) as answer:
                text = answer.read()
                return json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            text = error.read()
            if error.code not in (429, 503):
                try:
                    problem = json.loads(text)
                except ValueError:
                    problem = {"message": text.decode(errors="replace")}
                raise Refused(error.code, problem) from None
            wait = retry_after(error.headers) or pause
        except (urllib.error.URLError, OSError):
            wait = pause
        print(f"the gate is away, next try in {wait} s", file=sys.stderr, flush=True)
        time.sleep(wait)
        pause = min(pause * 2, 30)


def retry_after(headers):
    """What the gate asks us to wait, in seconds; it sends whole seconds, never a date."""
    value = headers.get("Retry-After", "")
    return min(int(value), 300) if value.isdigit() else None


def work(job):
    """One job to its end: completed, or failed with one try fewer."""
    path = f"/api/jobs/{job['id']}"
    # The lock token fences us off from whoever gets the job after our lock has run out.
    claim = {"worker": WORKER, "lockToken": job["lockToken"]}
    try:
        result = HANDLERS[job["topic"]](job)
    except Exception as error:  # whatever a handler throws is a failed try, not the end of the worker
        failure = {"message": repr(error), "retries": max(job["retries"] - 1, 0), "retryInSec": 5}
        post(f"{path}/fail", {**claim, **failure})
    else:
        post(f"{path}/complete", {**claim, "variables": result})
        print(f"{job['topic']} {job['processInstanceId']} → {json.dumps(result)}", flush=True)


def main():
    arguments = argparse.ArgumentParser(description="Works jobs of the example process order.")
    arguments.add_argument("topics", nargs="*", default=sorted(HANDLERS), metavar="topic")
    arguments.add_argument("--jobs", type=int, default=0, help="stop after this many jobs")
    asked = arguments.parse_args()
    if unknown := set(asked.topics) - set(HANDLERS):
        arguments.error(f"no handler for {', '.join(sorted(unknown))}; there are {', '.join(sorted(HANDLERS))}")
    done = 0
    while not asked.jobs or done < asked.jobs:
        # One at a time: a job waits in the gate, where another worker can have it, and not here behind a locked door.
        request = {"topics": asked.topics, "worker": WORKER, "maxJobs": 1, "lockInSec": 60}
        for job in post("/api/jobs/activate", {**request, "timeoutInSec": POLL_SECONDS})["jobs"]:
            try:
                work(job)
            except Refused as error:
                # 409: our lock ran out, or the process does not want the job any more. Somebody else has it.
                if error.status not in (404, 409):
                    raise
                print(f"{job['topic']} {job['id']}: {error}", file=sys.stderr, flush=True)
            done += 1


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        print("Stopped. A job that was locked is free again when its lock runs out.", file=sys.stderr)
        sys.exit(130)
    except Refused as error:
        sys.exit(f"worker: {error}")
