#!/usr/bin/env python3
"""scripts/demo.py TIDEGATE: starts the gate on a scratch database and does its main job before your eyes.

Deploys examples/order.bpmn, starts it, works its jobs and completes its user task, while every live event is printed as
it happens. Everything is checked; the exit status is 0 only if all of it worked. Standard library only.
"""

import http.client
import json
import os
import pathlib
import signal
import sys
import tempfile
import threading

from gate import PATIENCE, ROOT, Client, Failed, Gate, check

ORDER = ROOT / "examples" / "order.bpmn"
STORY = [
    "deployment.created",
    "execution.started",
    "job.created",
    "job.completed",
    "user_task.created",
    "user_task.completed",
    "job.created",
    "job.completed",
    "execution.completed",
]


class Screen:
    """One line at a time from any thread; colours on a terminal only."""

    def __init__(self):
        self.lock = threading.Lock()
        self.coloured = sys.stdout.isatty() and "NO_COLOR" not in os.environ

    def line(self, text="", colour=""):
        with self.lock:
            print(f"\033[{colour}m{text}\033[0m" if self.coloured and colour else text, flush=True)

    def step(self, text):
        self.line(f"\n{text}", "1")

    def event(self, event):
        data = event["data"]
        about = data.get("topic") or data.get("element_id") or ""
        self.line(f"{'':44}◀ {event['sequence']:>2}  {event['type']}  {about}".rstrip(), "36")


SCREEN = Screen()


class ShownClient(Client):
    """A client whose requests are shown as they happen."""

    def send(self, method, path, body=None):
        status, answer = super().send(method, path, body)
        SCREEN.line(f"  {method} {path} → {status}", "32" if status < 400 else "31")
        return status, answer


class LiveEvents(threading.Thread):
    """The event stream of a workflow (SSE), printed and kept as it comes."""

    def __init__(self, client, workflow):
        super().__init__(daemon=True)
        self.changed = threading.Condition()
        self.events = []
        self.broken = None
        self.connection = http.client.HTTPConnection("127.0.0.1", client.gate.port, timeout=60)
        path = f"/api/workflows/{workflow}/events?after=0"
        self.connection.request("GET", path, headers=client.headers(Accept="text/event-stream"))
        self.stream = self.connection.getresponse()
        SCREEN.line(f"  GET {path} (text/event-stream) → {self.stream.status}", "32")
        check("the event stream opens", self.stream.status == 200)

    def run(self):
        fields = {}
        try:
            for raw in self.stream:
                line = raw.decode().rstrip("\r\n")
                name, _, value = line.partition(":")
                if line == "" and "data" in fields:
                    self.take(fields)
                    fields = {}
                elif name:
                    fields[name] = value.removeprefix(" ")
        except (OSError, ValueError, AttributeError, http.client.HTTPException) as error:
            self.broken = error

    def take(self, fields):
        event = json.loads(fields["data"])
        if fields["id"] != str(event["sequence"]) or fields["event"] != event["type"]:
            self.broken = f"the stream says {fields['id']} {fields['event']} of {event}"
        SCREEN.event(event)
        with self.changed:
            self.events.append(event)
            self.changed.notify_all()

    def wait_for(self, count):
        with self.changed:
            self.changed.wait_for(lambda: len(self.events) >= count or self.broken, PATIENCE)
            types = [event["type"] for event in self.events]
        check(f"the stream shows {STORY[:count]}, not {types}", types == STORY[:count] and not self.broken)


def work(client, topic, brings):
    """What a worker does: waits for a job, locks it, completes it."""
    asked = {"topics": [topic], "worker": "demo", "timeoutInSec": PATIENCE, "workspaceId": "demo"}
    jobs = client.ask("POST", "/api/jobs/activate", asked)["jobs"]
    check(f"one job of topic {topic} waits", len(jobs) == 1 and jobs[0]["topic"] == topic)
    check("a job brings the variables of its instance", jobs[0]["variables"].get("amount") == 120)
    client.ask("POST", f"/api/jobs/{jobs[0]['id']}/complete", {"worker": "demo", "variables": brings}, 204)


def main_job(gate):
    """Everything once, and checked; gives the client that may play on."""
    SCREEN.step(f"The gate listens on {gate.url}, its database is a scratch file")
    bootstrap = ShownClient(gate, gate.bootstrap)

    SCREEN.step("A workspace, and a service token that may work in it and nowhere else")
    bootstrap.ask("POST", "/api/workspaces", {"id": "demo", "name": "Demo"}, 201)
    scopes = ["workflows:read", "workflows:write", "workflows:execute", "jobs:work"]
    asked = {"identifier": "demo", "scopes": scopes, "workspace_ids": ["demo"]}
    client = ShownClient(gate, bootstrap.ask("POST", "/api/admin/service-tokens", asked, 201)["secret"])
    caller = client.ask("GET", "/api/whoami")
    check("the token says who it is", (caller["subject"], caller["workspace_ids"]) == ("demo", ["demo"]))

    SCREEN.step("Deploy examples/order.bpmn: charge the card; above 100 somebody approves; ship")
    resource = {"name": ORDER.name, "content": ORDER.read_text()}
    deployment = client.ask("POST", "/api/deployments", {"workspace_id": "demo", "resources": [resource]}, 201)
    workflow = deployment["processes"][0]["workflow_id"]

    SCREEN.step("Listen to it, then start it with an amount of 120")
    live = LiveEvents(client, workflow)
    live.start()
    started = client.ask("POST", f"/api/workflows/{workflow}/executions", {"input": {"amount": 120}}, 201)
    check("it runs", started["status"] == "running")
    live.wait_for(3)

    SCREEN.step("Work the job `charge`")
    work(client, "charge", {"receipt": "R-1"})
    live.wait_for(5)

    SCREEN.step("120 is above 100: complete the user task `approve`")
    tasks = client.ask("GET", f"/api/userTask?processInstanceId={started['process_instance_id']}")["items"]
    check("one task waits for the group sales", [task["candidateGroups"] for task in tasks] == [["sales"]])
    client.ask("POST", f"/api/userTask/{tasks[0]['id']}/complete", {"approved": True}, 204)
    live.wait_for(7)

    SCREEN.step("Work the job `ship`")
    work(client, "ship", {"parcel": "P-1"})
    live.wait_for(9)

    SCREEN.step("The result")
    ended = client.ask("GET", f"/api/executions/{started['id']}")
    SCREEN.line(f"  {ended['status']}: {json.dumps(ended['result'])}", "1;32")
    check("it completed", ended["status"] == "completed")
    expected = {"amount": 120, "receipt": "R-1", "approved": True, "parcel": "P-1"}
    check(f"its result is {expected}", ended["result"] == expected)

    SCREEN.step("The history tells the same story as the live stream, without a gap")
    history = client.ask("GET", f"/api/workflows/{workflow}/events?after=0")["items"]
    numbers = [event["sequence"] for event in history]
    check("numbers begin at 1 without gaps", numbers == list(range(1, len(history) + 1)))
    of_it = [event["sequence"] for event in history if event["subject"] == started["id"]]
    check("nothing of it comes before `events_after`", of_it[0] > started["events_after"])
    check("live events and history are the same", history == live.events)
    return client


def stay(gate, client):
    """Leaves the gate up for whoever watches."""
    SCREEN.step("All of it worked. The gate stays up until Ctrl-C; play with it in another terminal:")
    SCREEN.line(f"  export TIDEGATE_URL={gate.url} TIDEGATE_TOKEN={client.token}")
    SCREEN.line(f"  export PATH={pathlib.Path(sys.argv[1]).resolve().parent}:$PATH")
    SCREEN.line("  tidegate workflow run order --input '{\"amount\": 12}' --watch")
    SCREEN.line("  python3 examples/worker.py charge ship")
    SCREEN.line(f"  {gate.url}/docs in a browser\n")
    try:
        gate.process.wait()
        raise Failed("the gate stays up")
    except KeyboardInterrupt:
        SCREEN.line("\nStopping the gate.")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="tidegate-demo-") as folder:
        gate = Gate(str(pathlib.Path(sys.argv[1]).resolve()), folder)
        try:
            gate.wait_until_ready()
            client = main_job(gate)
            if sys.stdin.isatty() and sys.stdout.isatty():
                stay(gate, client)
            else:
                SCREEN.step("All of it worked.")
        except (Failed, OSError, KeyError, ValueError) as error:
            SCREEN.line(f"\nFAILED: {error if isinstance(error, Failed) else repr(error)}", "1;31")
            SCREEN.line("The gate's last lines:\n" + gate.log.read_text(errors="replace")[-4000:])
            sys.exit(1)
        except KeyboardInterrupt:
            sys.exit(130)
        finally:
            gate.stop()


if __name__ == "__main__":
    main()
