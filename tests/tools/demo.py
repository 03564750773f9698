#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`./dev run`: the whole road on this machine's real counters, with everything around it made up
for the occasion and thrown away afterwards: a certificate authority, a broker on loopback that wants
client certificates, the agent, and a consumer that prints what arrives.
"""

import argparse
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.tools import history as judge  # noqa: E402
from tests.tools import message as wire  # noqa: E402
from tests.tools.agent import Agent, find_binary, run_binary  # noqa: E402
from tests.tools.broker import Broker  # noqa: E402
from tests.tools.certificates import CertificateAuthority  # noqa: E402
from tests.tools.consumer import Consumer  # noqa: E402
from tests.tools.live_line import LiveLine  # noqa: E402
from tests.tools.scratch import Scratch  # noqa: E402

STEPS = 4
FLUSH_SECONDS = 2.0


class Steps:
    """"2/4 broker ... up (0.1 s)": what is being done, before it is done."""

    def __init__(self, count):
        self._count = count
        self._number = 0

    def begin(self, what):
        self._number += 1
        self._began = time.monotonic()
        print(f"  {self._number}/{self._count} {what} ...", end=" ", flush=True)

    def done(self, result):
        print(f"{result} ({time.monotonic() - self._began:.1f} s)", flush=True)


def main():
    arguments = parse_arguments()
    try:
        binary = arguments.binary or find_binary()
    except FileNotFoundError as error:
        sys.exit(f"demo: {error}")

    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())

    with Scratch("demo") as scratch:
        if arguments.keep:
            scratch.keep()
        print("Fieldpost on this machine's real counters. Nothing leaves it: the broker listens on "
              "loopback,\nand everything made here is thrown away at the end "
              f"({scratch.path}).\n", flush=True)
        return run(Path(binary), scratch, arguments, stop)


def parse_arguments():
    parser = argparse.ArgumentParser(prog="./dev run", description=__doc__.split("\n\n")[0])
    parser.add_argument("--seconds", type=float, help="end after so long; default: until Ctrl-C")
    parser.add_argument("--interval", default="1s", help="how often sources are read (default 1s)")
    parser.add_argument("--binary", help="agent to run; default: FIELDPOST_BINARY, else the built one")
    parser.add_argument("--keep", action="store_true", help="leave certificates, logs and outbox behind")
    return parser.parse_args()


def run(binary, scratch, arguments, stop):
    steps = Steps(STEPS)
    steps.begin("throw-away certificate authority, one certificate each for broker, agent, consumer")
    authority = CertificateAuthority(scratch.folder("ca"))
    agent_certificate = authority.client("demo-agent")
    consumer_certificate = authority.client("demo-consumer")
    broker = Broker(scratch.folder("broker"), authority)
    steps.done("done")

    try:
        steps.begin(f"mosquitto at {broker.url}, TLS, client certificate required")
        broker.start()
        steps.done(f"up, pid {broker.pid}")

        screen = LiveLine()
        steps.begin("consumer: MQTT over mutual TLS, QoS 1, fieldpost/#")
        consumer = Consumer(broker, consumer_certificate, client_id="demo-consumer",
                            on_arrival=screen.arrival)
        consumer.start()
        steps.done("subscribed")

        version = run_binary(binary, "version").stdout.strip().splitlines()
        steps.begin(f"agent: {version[0] if version else binary}")
        agent = make_agent(binary, scratch, broker, agent_certificate, arguments)
        agent.start()
        try:
            wait_for_first_message(agent, consumer, stop)
            steps.done(f"connected, pid {agent.pid}, first readings arrived")
            print(f"\nEvery {arguments.interval} the counters are read, every {FLUSH_SECONDS:g} s they are "
                  "made durable, sent, and deleted when acknowledged."
                  + ("" if arguments.seconds else " Ctrl-C ends it.") + "\n", flush=True)
            screen.begin()
            watch(agent, stop, arguments.seconds)
        finally:
            screen.end()
            ended_in_order = end(agent)
        settle(consumer, agent)
        consumer.stop()
    except (TimeoutError, RuntimeError) as error:
        print("failed", flush=True)
        print(f"\ndemo: {error}", file=sys.stderr)
        print(f"Everything is left in {scratch.keep()} for a look.", file=sys.stderr)
        return 1
    finally:
        broker.stop()
    return summary(agent, consumer, ended_in_order, broker)


def make_agent(binary, scratch, broker, certificate, arguments):
    return Agent(binary, scratch.folder("agent"), name="demo", broker=broker, certificate=certificate,
                 flush_interval=FLUSH_SECONDS, default_sources=True, sections={
                     "sampling": {"interval": arguments.interval},
                     "rule": [{"name": "memory_low", "series": "node_memory_MemAvailable_bytes",
                               "warn_below": 200e6, "critical_below": 50e6}],
                 })


def wait_for_first_message(agent, consumer, stop, seconds=30):
    end_at = time.monotonic() + seconds
    while consumer.count == 0 and not stop.is_set():
        if not agent.running:
            raise RuntimeError(f"the agent ended at once; its log says:\n{agent.last_words()}")
        if time.monotonic() > end_at:
            raise TimeoutError(f"no message within {seconds} s; the agent's log says:\n"
                               f"{agent.last_words()}")
        stop.wait(0.05)


def watch(agent, stop, seconds):
    end_at = time.monotonic() + seconds if seconds else float("inf")
    while not stop.is_set() and time.monotonic() < end_at:
        if not agent.running:
            raise RuntimeError(f"the agent ended by itself; its log says:\n{agent.last_words()}")
        stop.wait(min(0.5, max(0.0, end_at - time.monotonic())))


def end(agent):
    if not agent.running:
        return False
    print("\nEnding in order: the agent makes durable what it holds, sends it and goes.", flush=True)
    agent.stop()
    return True


def settle(consumer, agent, seconds=3):
    """The last messages may still be on their way from the broker."""
    expected = len(agent.all_durable())
    end_at = time.monotonic() + seconds
    while consumer.count < expected and time.monotonic() < end_at:
        time.sleep(0.05)


def summary(agent, consumer, ended_in_order, broker):
    verdict = judge.check(judge.History(agent.runs, consumer.snapshot(), agent.flush_interval))
    figures = verdict.figures
    waiting = figures["durable_segments"] - figures["received_segments"]
    print(f"""
  messages    {figures['received_segments']} received, {figures['duplicates']} duplicates
  readings    {figures['received_readings']} received of {figures['durable_readings']} durable
  gaps        {figures['gap_records']} reported, {figures['gap_readings']} readings in them
  order       {figures['order_violations']} violations""")
    only_waiting = waiting > 0 and all("LOST" in text for text in verdict.violations)
    if verdict.ok:
        print("  verdict     nothing durable was lost, order held, every count adds up")
    elif only_waiting:
        # What the agent could not send in its last second stays in the outbox: that is its job.
        print(f"  verdict     {waiting} segments wait in the outbox for the next start; order held")
    else:
        print(f"  verdict     VIOLATIONS\n{verdict}")
    print(hints(broker))
    return 0 if ended_in_order and (verdict.ok or only_waiting) else 1


def hints(broker):
    return f"""
To send to a broker of your own, put this into fieldpost.toml:

    [device]
    name = "my-gateway"
    state_directory = "/var/lib/fieldpost"
    [broker]
    url = "mqtts://broker.example:8883"
    ca_file = "/etc/fieldpost/ca.pem"            # who signed the broker's certificate
    certificate_file = "/etc/fieldpost/client.pem"
    key_file = "/etc/fieldpost/client.key"       # mode 600
    [sampling]
    interval = "10s"

then: fieldpost check --config fieldpost.toml && fieldpost run --config fieldpost.toml
and on the other side: mosquitto_sub -h broker.example -p 8883 --cafile ca.pem --cert you.pem \\
                         --key you.key -q 1 -v -t 'fieldpost/#'"""


if __name__ == "__main__":
    sys.exit(main())
