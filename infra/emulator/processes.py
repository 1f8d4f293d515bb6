"""The processes that a run needs: the AWS emulator, the Stripe sandbox, and the key set of an issuer.

All of them listen on 127.0.0.1 only, and end with the run.
"""

import contextlib
import http.server
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

REGION = "eu-central-1"
# The emulator's root user; with AUTH=true everybody else has only what a policy allows.
ROOT = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": REGION, "AWS_REGION": REGION}
PATIENCE = 30


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Process:
    """A child process that answers at a URL once it is ready."""

    def __init__(self, command: list[str], environment: dict[str, str], ready: str, log: pathlib.Path):
        self.log = log
        # Nothing of the developer's own environment reaches the functions: no keys, no proxies, no settings.
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
        with log.open("wb") as output:
            self.child = subprocess.Popen(command, env=kept | environment, stdout=output, stderr=subprocess.STDOUT)
        self._wait_until_ready(ready)

    def _wait_until_ready(self, url: str) -> None:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if self.child.poll() is not None:
                break
            try:
                with urllib.request.urlopen(url, timeout=2):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        self.stop()
        raise RuntimeError(f"{self.child.args[0]} does not answer; its log is {self.log}")

    def stop(self) -> None:
        """Ends it, gently if it can."""
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
            try:
                self.child.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()


class Emulator(Process):
    """MiniStack, with IAM enforced, so that a role which lacks an action fails the flows."""

    def __init__(self, folder: pathlib.Path):
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        environment = ROOT | {
            "AUTH": "true",
            "BIND_HOST": "127.0.0.1",
            "MINISTACK_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "MINISTACK_REGION": REGION,
            "AWS_ENDPOINT_URL": self.url,
            "LAMBDA_EXECUTOR": "local",
            # These would listen on every interface.
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
        }
        command = [str(pathlib.Path(sys.executable).with_name("ministack"))]
        super().__init__(command, environment, f"{self.url}/_ministack/health", folder / "emulator.log")

    def functions(self) -> list[int]:
        """The processes of functions that are warm just now."""
        found = []
        # A thread's or a process's files vanish with it.
        for task in pathlib.Path(f"/proc/{self.child.pid}/task").iterdir():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                for child in (task / "children").read_text(encoding="ascii").split():
                    command = pathlib.Path(f"/proc/{child}/cmdline").read_bytes()
                    if command.split(b"\0")[0].endswith(b"bootstrap"):
                        found.append(int(child))
        return found

    def kill_a_function(self) -> bool:
        """kill -9 for one of them; whether there was one."""
        for process in self.functions():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
                return True
        return False


class Sandbox(Process):
    """The local stack, of which only its Stripe is used: it posts its webhooks to the deployed API."""

    SECRET = "whsec_of_the_emulator"

    def __init__(self, binary: pathlib.Path, port: int, webhooks: str, folder: pathlib.Path):
        self.url = f"http://127.0.0.1:{port}"
        environment = {"STRIPE_WEBHOOK_SECRET": self.SECRET, "HOLDFAST_SANDBOX_WEBHOOK_URL": webhooks}
        command = [str(binary), "--port", str(port), "--data", "memory"]
        super().__init__(command, environment, f"{self.url}/_local/health", folder / "sandbox.log")


class Issuer:
    """Somebody who signs tokens with RS256 and publishes the key."""

    AUDIENCE = "holdfast"

    def __init__(self) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self._key.public_key()))
        document = json.dumps({"keys": [public | {"kid": "1", "alg": "RS256", "use": "sig"}]}).encode()

        class Handler(http.server.BaseHTTPRequestHandler):
            """Answers everything with the key set."""

            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(document)))
                self.end_headers()
                self.wfile.write(document)

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def token(self, sub: str, scope: str = "") -> str:
        """A token that is good for an hour."""
        now = int(time.time())
        claims = {"iss": self.url, "aud": self.AUDIENCE, "sub": sub, "scope": scope, "iat": now, "exp": now + 3600}
        return jwt.encode(claims, self._key, algorithm="RS256", headers={"kid": "1"})

    def stop(self) -> None:
        """Stops publishing."""
        self._server.shutdown()
        self._server.server_close()
