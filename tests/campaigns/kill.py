#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`./dev campaign kill`: pulls the plug of the agent again and again (SIGKILL at random instants), with the
broker away for a minute in between, and proves from the consumer's side that nothing durable was lost.

Time is accelerated: a flush interval of 200 ms and ramps read every 100 ms put as many commits, sends and
acknowledgements into a minute as half an hour of normal running, so that the kills meet every phase.
"""

import argparse
import random
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.tools import history as judge  # noqa: E402
from tests.tools import schema  # noqa: E402
from tests.tools.agent import Agent, find_binary, ramp_source  # noqa: E402
from tests.tools.broker import Broker  # noqa: E402
from tests.tools.certificates import CertificateAuthority  # noqa: E402
from tests.tools.consumer import Consumer  # noqa: E402
from tests.tools.delivery import Delivery  # noqa: E402
from tests.tools.scratch import Scratch  # noqa: E402

FLUSH_SECONDS = 0.2
DRAIN_SECONDS_MAX = 180


def main():
    arguments = parse_arguments()
    try:
        binary = Path(arguments.binary) if arguments.binary else find_binary()
    except FileNotFoundError as error:
        sys.exit(f"kill: {error}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("kill: ended by SIGTERM"))
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed} (repeat with --seed {seed}), {arguments.count} kills, "
          f"{arguments.series} ramp series at 100 ms, flush {FLUSH_SECONDS * 1000:.0f} ms, {binary}",
          flush=True)
    with Scratch("kill") as scratch:
        passed = campaign(binary, scratch, arguments, random.Random(seed))
        if not passed:
            print(f"logs and outbox are left in {scratch.keep()}")
    return 0 if passed else 1


def parse_arguments(words=None):
    parser = argparse.ArgumentParser(prog="./dev campaign kill", description=__doc__.split("\n\n")[0])
    parser.add_argument("--seed", type=int, help="default: random, printed")
    parser.add_argument("--count", type=int, default=200, help="kills (200)")
    parser.add_argument("--series", type=int, default=20, help="ramp series (20)")
    parser.add_argument("--outage", type=float, default=60.0, help="seconds without a broker (60)")
    parser.add_argument("--binary", help="agent to kill; default: FIELDPOST_BINARY, else the built one")
    return parser.parse_args(words)


def campaign(binary, scratch, arguments, chance):
    authority = CertificateAuthority(scratch.folder("ca"))
    with Broker(scratch.folder("broker"), authority) as broker, \
            Consumer(broker, authority.client("consumer")) as consumer:
        agent = Agent(binary, scratch.folder("agent"), broker=broker, certificate=authority.client("proof-1"),
                      flush_interval=FLUSH_SECONDS, sections=ramp_source(series=arguments.series))
        try:
            kill_many(agent, broker, consumer, arguments, chance)
            drain(agent, consumer)
        finally:
            agent.abandon()
        arrivals = consumer.snapshot()
    return report(agent, arrivals, arguments)


def kill_many(agent, broker, consumer, arguments, chance):
    outage_begins = arguments.count // 3
    outage_ends = None
    for kill in range(1, arguments.count + 1):
        if kill == outage_begins:
            broker.stop()
            outage_ends = time.monotonic() + arguments.outage
            note(kill, f"broker stopped for {arguments.outage:g} s", agent, consumer)
        if outage_ends is not None and time.monotonic() >= outage_ends:
            broker.start()
            consumer.wait_subscribed()
            outage_ends = None
            note(kill, "broker started again", agent, consumer)
        agent.start()
        time.sleep(instant(chance))
        if not agent.running:
            raise RuntimeError(f"the agent ended by itself before kill {kill}:\n{agent.last_words()}")
        agent.kill()
        if kill % 25 == 0:
            note(kill, "", agent, consumer)
    if outage_ends is not None:
        # Few kills, long outage: the agent lives through the rest of it.
        agent.start()
        time.sleep(max(0.0, outage_ends - time.monotonic()))
        broker.start()
        consumer.wait_subscribed()
        note(arguments.count, "broker started again", agent, consumer)


def instant(chance):
    """Seconds of life. A quarter of the kills falls into the start (opening the store, taking up the
    epoch, connecting); the others hit sampling, committing, sending and acknowledging."""
    return chance.uniform(0.0, 0.25) if chance.random() < 0.25 else chance.uniform(0.25, 1.5)


def note(kill, what, agent, consumer):
    durable = sum(len(run.durable) for run in agent.runs)
    print(f"  kill {kill:4}  {durable:6} segments durable, {consumer.count:6} messages received  {what}",
          flush=True)


def drain(agent, consumer):
    """A last life without a kill: everything must arrive."""
    if not agent.running:
        agent.start()
    agent.wait_for_log("link up", seconds=30)
    try:
        Delivery(agent, consumer).settle(DRAIN_SECONDS_MAX)
    except TimeoutError as error:
        print(f"  {error}; going on to the verdict", flush=True)


def report(agent, arrivals, arguments):
    verdict = judge.check(judge.History(agent.runs, arrivals, FLUSH_SECONDS))
    verdict.violations += schema.violations(arrivals)
    figures = verdict.figures
    taken = figures["received_readings"] + figures["lost_in_memory"]
    adds_up = (figures["received_readings"] + figures["lost_readings"]
               == figures["durable_readings"] + figures["unlogged_readings"])
    print(f"kills={figures['kills']} samples_taken~{taken} durable={figures['durable_readings']} "
          f"durable_but_killed_before_the_log_line={figures['unlogged_readings']} "
          f"received={figures['received_readings']} counts_add_up={'yes' if adds_up else 'NO'} "
          f"messages={figures['received_segments']} "
          f"duplicates={figures['duplicates']} lost={figures['lost'] + figures['missing_values']} "
          f"order_violations={figures['order_violations']} epochs={figures['epochs']} "
          f"gaps={figures['gap_records']} "
          f"lost_from_memory_max_age={figures['lost_in_memory_s'] * 1000:.0f}ms "
          f"violations={len(verdict.violations)}")
    if not verdict.ok:
        print(verdict)
    return verdict.ok and adds_up and figures["kills"] == arguments.count and figures["epochs"] == 1


if __name__ == "__main__":
    sys.exit(main())
