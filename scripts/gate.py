"""A gate in a process of its own and a client of it, for the demo and the measurements. Standard library only."""

import http.client
import json
import os
import pathlib
import secrets
import signal
import socket
import string
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PATIENCE = 20  # seconds for anything that should take a moment


class Failed(Exception):
    """Something that was promised did not happen."""


def check(promise, kept):
    if not kept:
        raise Failed(promise)


class Gate:
    """The gate's process on a free port; its files are in `folder`, its database too unless `database` names one."""

    def __init__(self, binary, folder, database=None):
        self.binary = binary
        self.folder = folder
        self.database = database or f"sqlite://{folder}/tidegate.db"
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        alphabet = string.ascii_letters + string.digits
        self.bootstrap = "".join(secrets.choice(alphabet) for _ in range(40))
        self.log = pathlib.Path(folder, "gate.log")
        self.start()

    def start(self):
        # Whatever the caller's shell says of another gate is not for this one.
        ours = ("TIDEGATE_", "ORCHEO_", "ORCHESCALA_", "CENTRIFUGO_")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        environment.update(
            TIDEGATE_SERVER__BIND=f"127.0.0.1:{self.port}",
            TIDEGATE_DATABASE__URL=self.database,
            TIDEGATE_AUTH__BOOTSTRAP_SERVICE_TOKEN=self.bootstrap,
        )
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [self.binary, "serve"], cwd=self.folder, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def wait_until_ready(self):
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            check("the gate starts", self.process.poll() is None)
            try:
                if Client(self, None).send("GET", "/health/ready")[0] == 200:
                    return
            except OSError:
                pass
            time.sleep(0.05)
        raise Failed("the gate is ready soon after its start")

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Client:
    """Speaks to the gate as whoever the token belongs to."""

    def __init__(self, gate, token):
        self.gate = gate
        self.token = token

    def headers(self, **more):
        """What every request says, and more; `content_type` stands for Content-Type."""
        if self.token:
            more["Authorization"] = f"Bearer {self.token}"
        return {name.replace("_", "-"): value for name, value in more.items()}

    def send(self, method, path, body=None):
        """The status and the parsed body of the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.gate.port, timeout=PATIENCE + 10)
        try:
            if body is None:
                connection.request(method, path, headers=self.headers())
            else:
                connection.request(method, path, json.dumps(body), self.headers(content_type="application/json"))
            answer = connection.getresponse()
            raw = answer.read()
            return answer.status, json.loads(raw) if raw else None
        finally:
            connection.close()

    def ask(self, method, path, body=None, expect=200):
        """The body of an answer whose status must be this one."""
        status, answer = self.send(method, path, body)
        check(f"{method} {path} answers {expect}, not {status}: {json.dumps(answer)}", status == expect)
        return answer
