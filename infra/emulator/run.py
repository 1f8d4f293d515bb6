#!/usr/bin/env python3
"""Deploys what `sam build` has built onto an AWS emulator on this machine, and plays the black-box flows against it.

    run.py [--built .aws-sam/build] [--holdfast target/debug/holdfast] [--sam sam] [--keep]

Everything listens on 127.0.0.1 and ends with the run; `--keep` waits for Ctrl-C before it does. Logs are in target/emulator.
"""

import argparse
import contextlib
import pathlib
import signal
import sys
import time
import traceback

import boto3

import flows
from contract import Api
from deploy import deploy
from processes import REGION, ROOT, Emulator, Issuer, Sandbox, free_port

WORKSPACE = pathlib.Path(__file__).resolve().parent.parent.parent


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--built", type=pathlib.Path, default=WORKSPACE / ".aws-sam/build", help="what sam build made")
    parser.add_argument("--holdfast", type=pathlib.Path, default=WORKSPACE / "target/debug/holdfast", help="for its Stripe")
    parser.add_argument("--sam", default=str(WORKSPACE / "target/venv/bin/sam"), help="the SAM CLI")
    parser.add_argument("--keep", action="store_true", help="leave everything running until Ctrl-C")
    return parser.parse_args()


def aws(emulator: Emulator) -> boto3.Session:
    """The emulator's root user."""
    return boto3.Session(ROOT["AWS_ACCESS_KEY_ID"], ROOT["AWS_SECRET_ACCESS_KEY"], region_name=REGION)


def complaints(emulator: Emulator, outputs: dict[str, str]) -> list[str]:
    """What the deployment itself says went wrong: messages that nobody could work off, errors in the functions' log."""
    found = []
    queues = aws(emulator).client("sqs", endpoint_url=emulator.url)
    for output in ("SettleDeadLettersUrl", "ScheduleDeadLettersUrl"):
        asked = queues.get_queue_attributes(QueueUrl=outputs[output], AttributeNames=["ApproximateNumberOfMessages"])
        letters = int(asked["Attributes"]["ApproximateNumberOfMessages"])
        if letters:
            found.append(f"{letters} messages in {output}")
    logs = aws(emulator).client("logs", endpoint_url=emulator.url)
    lines = 0
    for page in logs.get_paginator("filter_log_events").paginate(logGroupName=outputs["FunctionLogGroup"]):
        for event in page["events"]:
            lines += 1
            if '"level":"ERROR"' in event["message"] or "AccessDenied" in event["message"]:
                found.append(event["message"])
    if not lines:
        found.append("the functions' log is empty")
    return found


def play(world: flows.World) -> int:
    """Plays every flow; how many failed."""
    failed = 0
    for flow in flows.ALL:
        name = flow.__name__.replace("_", " ")
        started = time.monotonic()
        try:
            flow(world)
            print(f"ok      {name} ({time.monotonic() - started:.1f} s)", flush=True)
        except Exception:
            failed += 1
            print(f"FAILED  {name}\n{traceback.format_exc()}", flush=True)
    return failed


def main() -> int:
    asked = arguments()
    # Whoever ends it gently ends what it has started as well.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    folder = WORKSPACE / "target/emulator"
    folder.mkdir(parents=True, exist_ok=True)
    running = []
    try:
        issuer = Issuer()
        running.append(issuer)
        emulator = Emulator(folder)
        running.append(emulator)
        port = free_port()
        outputs = deploy(asked.built.resolve(), asked.sam, emulator, issuer, f"http://127.0.0.1:{port}")
        sandbox = Sandbox(asked.holdfast, port, f"{outputs['url']}/v1/webhooks/stripe", folder)
        running.append(sandbox)
        print(f"\nDeployed: {outputs['url']}\n", flush=True)
        table = aws(emulator).resource("dynamodb", endpoint_url=emulator.url).Table(outputs["TableName"])
        failed = play(flows.World(Api(outputs["url"]), emulator, sandbox, issuer, table))
        wrong = complaints(emulator, outputs)
        for complaint in wrong:
            print(f"FAILED  {complaint}")
        if asked.keep:
            print(f"\nStill running. An operator's token: {issuer.token('usr_operator', 'operator')}\nCtrl-C ends it.", flush=True)
            with contextlib.suppress(KeyboardInterrupt):
                signal.pause()
        return 1 if failed or wrong else 0
    finally:
        for part in reversed(running):
            part.stop()


if __name__ == "__main__":
    sys.exit(main())
