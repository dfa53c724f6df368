#!/usr/bin/env python3
"""scripts/measure.py TIDEGATE JWT_LOAD [SECONDS]: the measurements; scripts/measure prepares what they need.

Whatever is compared is measured in turns (A B A B A B) against one server, and the medians are compared.
"""

import os
import pathlib
import secrets
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

from gate import ROOT, Client, Gate, check

BENCHES = ROOT / "benches"
ROUNDS = 3
CONNECTIONS = 32
SPREAD = 100


def load(gate, token, paths, seconds):
    """Requests per second that were answered well; none may be answered badly."""
    command = ["wrk", "-t2", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", str(BENCHES / "request.lua"), gate.url, "--"]
    output = subprocess.run([*command, token or "-", *paths], check=True, capture_output=True, text=True).stdout
    good, bad, duration, p99 = next(line for line in output.splitlines() if line.startswith("RESULT")).split()[1:]
    check(f"no request fails, {bad} of {paths[0]} did", int(bad) == 0)
    return float(good) / float(duration), float(p99)


def in_turns(gate, one, other, seconds):
    """The medians of both, each a (token, paths)."""
    results = ([], [])
    for _ in range(ROUNDS):
        for result, (token, paths) in zip(results, (one, other)):
            result.append(load(gate, token, paths, seconds)[0])
    return tuple(statistics.median(result) for result in results)


def prepare(gate):
    """A service token, and the workflows: the hot one first, then those of the spread."""
    gate.wait_until_ready()
    bootstrap = Client(gate, gate.bootstrap)
    bootstrap.ask("POST", "/api/workspaces", {"id": "load"}, 201)
    asked = {
        "identifier": "load",
        "scopes": ["workflows:read", "workflows:write", "workflows:execute"],
        "workspace_ids": ["load"],
    }
    client = Client(gate, bootstrap.ask("POST", "/api/admin/service-tokens", asked, 201)["secret"])
    model = (BENCHES / "straight.bpmn").read_text()
    workflows = []
    for number in range(SPREAD + 1):
        content = model.replace('id="straight"', f'id="straight-{number}"')
        body = {"workspace_id": "load", "resources": [{"name": "straight.bpmn", "content": content}]}
        workflows.append(client.ask("POST", "/api/deployments", body, 201)["processes"][0]["workflow_id"])
    started = client.ask("POST", f"/api/workflows/{workflows[0]}/executions", {"input": {"amount": 120}}, 201)
    check("a start runs to its end", started["status"] == "completed")
    return client, workflows


def whoami(gate, client, seconds):
    live, judged = in_turns(gate, (None, ["/health/live"]), (client.token, ["/api/whoami"]), seconds)
    print(f"GET /health/live           {live:10.0f} /s")
    print(f"GET /api/whoami            {judged:10.0f} /s   {judged / live:.2f} of it (goal 0.85)", flush=True)


class Different:
    """Requests that each come with another token. A handler that remembers none may see the same lines again."""

    def __init__(self, file, remembering):
        self.file, self.remembering, self.used = file, remembering, 0
        self.left = len(pathlib.Path(file).read_text().splitlines())

    def load(self, url, path, seconds):
        command = ["wrk", "-t2", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", str(BENCHES / "tokens.lua"), url, "--"]
        output = subprocess.run(
            [*command, path, self.file, str(self.used)], check=True, capture_output=True, text=True
        ).stdout
        good, bad, duration, _ = next(line for line in output.splitlines() if line.startswith("RESULT")).split()[1:]
        check(f"no token is refused, {bad} were", int(bad) == 0)
        # Each of the two threads takes every other line; one may run ahead of the other.
        used = int(int(good) * 1.3)
        check(f"there were tokens enough: {self.used + used} of {self.left}", self.used + used <= self.left)
        if self.remembering:
            self.used += used
        return float(good) / float(duration)


def tokens(binary, load_binary, seconds):
    """RS256: one token again and again against a service token, and all-different ones against a bare poem handler."""
    with tempfile.TemporaryDirectory(prefix="tidegate-measure-") as folder:
        subprocess.run([load_binary, "mint", folder, str(200_000)], check=True)
        keys = pathlib.Path(folder, "jwks.json").read_text()
        pathlib.Path(folder, "config.toml").write_text(f"""[[auth.issuers]]
name = "load"
kind = "jwt"
issuers = ["https://load.example"]
audiences = ["tidegate"]
jwks = '{keys}'
""")
        gate = Gate(binary, folder)
        bare = subprocess.Popen([load_binary, "serve", folder], stdout=subprocess.PIPE, text=True)
        try:
            client, _ = prepare(gate)
            first = pathlib.Path(folder, "tokens").read_text().partition("\n")[0]
            path = ["/api/workflows?workspace_id=load&limit=1"]
            service, cached = in_turns(gate, (client.token, path), (first, path), seconds)
            print(f"GET, service token         {service:10.0f} /s")
            print(f"GET, RS256, cached         {cached:10.0f} /s   {cached / service:.2f} of it (goal 0.9)", flush=True)
            url = "http://" + bare.stdout.readline().strip()
            file, results = f"{folder}/tokens", ([], [])
            handler, judged = Different(file, remembering=False), Different(file, remembering=True)
            for _ in range(ROUNDS):
                results[0].append(handler.load(url, "/", 1))
                results[1].append(judged.load(gate.url, "/api/whoami", 1))
            one, other = (statistics.median(result) for result in results)
            print(f"bare poem, RS256           {one:10.0f} /s   all different")
            print(f"GET /api/whoami, RS256     {other:10.0f} /s   all different; {other / one:.2f} of it (goal 0.9)", flush=True)
        finally:
            bare.terminate()
            bare.wait()
            gate.stop()


def executions(gate, client, workflows, seconds):
    starts = [f"POST /api/workflows/{workflow}/executions" for workflow in workflows]
    hot, spread = in_turns(gate, (client.token, starts[:1]), (client.token, starts[1:]), seconds)
    print(f"executions, one workflow   {hot:10.0f} /s   {hot / spread:.2f} of the spread (goal 0.7)")
    print(f"executions, {SPREAD} workflows  {spread:10.0f} /s", flush=True)


def listening(gate):
    """Milliseconds from the start of the process to the first connection it takes, on the database as it is by now."""
    times = []
    for _ in range(5):
        gate.stop()
        began = time.monotonic()
        gate.start()
        while True:
            try:
                socket.create_connection(("127.0.0.1", gate.port), timeout=1).close()
                break
            except OSError:
                check("the gate starts", gate.process.poll() is None and time.monotonic() < began + 20)
                time.sleep(0.001)
        times.append((time.monotonic() - began) * 1000)
        gate.wait_until_ready()
    print(f"start to listening         {statistics.median(times):10.0f} ms  (goal 200)")
    time.sleep(5)
    status = pathlib.Path(f"/proc/{gate.process.pid}/status").read_text()
    resident = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    print(f"idle memory                {resident / 1024:10.1f} MB  (goal 40)", flush=True)


def sqlite_commits(folder, seconds):
    """One row a commit, one after the other, as durable as the gate's: WAL, synchronous=FULL."""
    database = sqlite3.connect(f"{folder}/commits.db", isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, what TEXT)")
    began = time.monotonic()
    count = 0
    while time.monotonic() < began + seconds:
        database.execute("BEGIN IMMEDIATE")
        database.execute("INSERT INTO t (what) VALUES (?)", ("x" * 200,))
        database.execute("COMMIT")
        count += 1
    database.close()
    print(f"SQLite's own commits       {count / seconds:10.0f} /s   one row each, one after the other", flush=True)


def postgres_commits(url, folder, seconds):
    """One row a commit by as many sessions as there are connections to the gate."""
    subprocess.run(["psql", "-q", url, "-c", "CREATE TABLE t (id bigserial PRIMARY KEY, what text)"], check=True)
    script = pathlib.Path(folder, "insert.sql")
    script.write_text(f"INSERT INTO t (what) VALUES ('{'x' * 200}');\n")
    for clients in (1, CONNECTIONS):
        command = [pgbench(), "-n", "-f", str(script), "-c", str(clients), "-j", "2", "-T", str(seconds), url]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        rate = next(line for line in output.splitlines() if line.startswith("tps")).split()[2]
        print(f"Postgres' own commits      {float(rate):10.0f} /s   one row each, {clients} sessions", flush=True)


def pgbench():
    """Debian's client wrapper hides pgbench from some PATHs."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/pgbench"))
    return str(found[-1]) if found else "pgbench"


def machine():
    model = "unknown processor"
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(": ")[2]
            break
    print(f"{os.cpu_count()} × {model}; load before: {os.getloadavg()[0]:.1f}\n", flush=True)


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    binary, load_binary = (str(pathlib.Path(path).resolve()) for path in sys.argv[1:3])
    seconds = int(sys.argv[3]) if len(sys.argv) == 4 else 10
    machine()
    print("Bearer tokens")
    tokens(binary, load_binary, seconds)
    with tempfile.TemporaryDirectory(prefix="tidegate-measure-") as folder:
        print("\nOn SQLite")
        gate = Gate(binary, folder)
        try:
            client, workflows = prepare(gate)
            whoami(gate, client, seconds)
            sqlite_commits(folder, seconds)
            executions(gate, client, workflows, seconds)
            listening(gate)
        finally:
            gate.stop()
    with tempfile.TemporaryDirectory(prefix="tidegate-measure-") as folder:
        print("\nOn Postgres")
        server = os.environ["TIDEGATE_TEST_POSTGRES_URL"]
        name = f"measure_{secrets.token_hex(4)}"
        subprocess.run(["psql", "-q", server, "-c", f"CREATE DATABASE {name}"], check=True)
        url = server.rpartition("/")[0] + f"/{name}"
        gate = Gate(binary, folder, url)
        try:
            client, workflows = prepare(gate)
            postgres_commits(url, folder, seconds)
            executions(gate, client, workflows, seconds)
        finally:
            gate.stop()


if __name__ == "__main__":
    main()
