#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`./dev campaign kill`: pulls the plug of the agent again and again (SIGKILL at random instants), with the
broker away for a minute in between, and proves from the consumer's side that nothing durable was lost.

Time is accelerated: a flush interval of 200 ms and ramps read every 100 ms put as many commits, sends and
acknowledgements into a minute as half an hour of normal running, so that the kills meet every phase.
A third of the lives is several times longer than what a kill may take: only there can it be seen that
too much was lost. The agent's own series are off: every reading is a ramp's, and its value counts it.
With --devices the kills are shared among so many, each with a broker, a consumer and a judge of its own: most
of a life is waiting, so eight at a time (--jobs 8) do not hold each other up.
"""

import argparse
import copy
import os
import random
import signal
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
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

# A life also starts, and is cut off in the middle of an interval: about nine tenths of the segments that it
# has time for on paper become durable on an idle machine, and all of these within the flush interval.
COMMITS_SHARE_MIN = 0.5
PUNCTUAL_SHARE_MIN = 0.9
TAILS_JUDGED_SHARE_MIN = 0.1


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
    if arguments.devices == 1:
        with Scratch("kill") as scratch:
            passed = campaign(binary, scratch, arguments, random.Random(seed))
            if not passed:
                print(f"logs and outbox are left in {scratch.keep()}")
    else:
        passed = fleet(binary, arguments, seed)
    return 0 if passed else 1


def parse_arguments(words=None):
    parser = argparse.ArgumentParser(prog="./dev campaign kill", description=__doc__.split("\n\n")[0])
    parser.add_argument("--seed", type=int, help="default: random, printed")
    parser.add_argument("--count", type=int, default=200, help="kills (200)")
    parser.add_argument("--devices", type=int, default=1, help="share the kills among so many agents (1)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="of them at a time (one a core)")
    parser.add_argument("--series", type=int, default=20, help="ramp series (20)")
    parser.add_argument("--outage", type=float, default=60.0, help="seconds without a broker (60)")
    parser.add_argument("--binary", help="agent to kill; default: FIELDPOST_BINARY, else the built one")
    return parser.parse_args(words)


def campaign(binary, scratch, arguments, chance):
    return report([judged(binary, scratch, arguments, chance)])


def fleet(binary, arguments, seed):
    """All devices, some at a time. A count that does not divide evenly is rounded up."""
    share = copy.copy(arguments)
    share.count = -(-arguments.count // arguments.devices)
    verdicts = []
    with ProcessPoolExecutor(arguments.jobs) as pool:
        working = [pool.submit(judged_device, binary, share, seed, number) for number in range(arguments.devices)]
        for done in as_completed(working):
            verdicts.append(done.result())
            kills = sum(verdict.figures["kills"] for verdict in verdicts)
            print(f"== {len(verdicts)} of {arguments.devices} devices, {kills} kills, "
                  f"{sum(len(verdict.violations) for verdict in verdicts)} violations", flush=True)
    return report(verdicts)


def judged_device(binary, arguments, seed, number):
    with Scratch("kill") as scratch:
        verdict = judged(binary, scratch, arguments, random.Random(f"{seed} {number}"))
        if not verdict.ok:
            verdict.violations.append(f"device {number}: logs and outbox are left in {scratch.keep()}")
        return verdict


def judged(binary, scratch, arguments, chance):
    authority = CertificateAuthority(scratch.folder("ca"))
    with Broker(scratch.folder("broker"), authority) as broker, \
            Consumer(broker, authority.client("consumer")) as consumer:
        agent = Agent(binary, scratch.folder("agent"), broker=broker, certificate=authority.client("proof-1"),
                      flush_interval=FLUSH_SECONDS,
                      sections={**ramp_source(series=arguments.series), "self": {"enabled": False}})
        try:
            kill_many(agent, broker, consumer, arguments, chance)
            drain(agent, consumer)
        finally:
            agent.abandon()
        arrivals = consumer.snapshot()
    verdict = judge.check(judge.History(agent.runs, arrivals, FLUSH_SECONDS),
                          least_commits=COMMITS_SHARE_MIN, least_punctual=PUNCTUAL_SHARE_MIN)
    verdict.violations += schema.violations(arrivals)
    verdict.violations += shortcomings(verdict.figures, arguments)
    return verdict


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
    epoch, connecting); the others hit sampling, committing, sending and acknowledging, a third of all in
    a life much longer than the tail that a kill may take."""
    shortest, longest = chance.choices([(0.0, 0.25), (0.25, 1.5), (1.5, 6.0)], weights=[25, 42, 33])[0]
    return chance.uniform(shortest, longest)


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


def report(verdicts):
    """The line of figures of all devices: sums of what is counted, the worst of what is measured."""
    figures = together([verdict.figures for verdict in verdicts])
    violations = [violation for verdict in verdicts for violation in verdict.violations]
    print(f"kills={figures['kills']} lived={figures['lived_s']:.0f}s "
          f"counted_by_values={figures['ramp_by_values']} counted_by_log={figures['ramp_by_log']} "
          f"of_these_killed_before_the_log_line={figures['unlogged_readings']} "
          f"received={figures['ramp_received']} counts_add_up={'yes' if figures['adds_up'] else 'NO'} "
          f"lost={figures['lost'] + figures['missing_values']} "
          f"segments={figures['durable_segments']} segments_required={figures['required_segments']} "
          f"durable_after_median={milliseconds(figures['delay_median_s'])} "
          f"p99={milliseconds(figures['delay_p99_s'])} max={milliseconds(figures['delay_max_s'])} "
          f"punctual={figures['punctual']:.1%} "
          f"taken_by_a_kill_max_age={milliseconds(figures['taken_by_a_kill_s'])} "
          f"lives_long_enough_to_tell={figures['tails_judged']} "
          f"lives_that_said_late={figures['runs_said_late']} said_max={milliseconds(figures['said_late_s'])} "
          f"duplicates={figures['duplicates']} order_violations={figures['order_violations']} "
          f"readings={figures['received_readings']} epochs={figures['epochs']} gaps={figures['gap_records']} violations={len(violations)}")
    if violations:
        print(judge.Verdict(violations, figures))
    return not violations


def together(figures):
    worst = {name: max for name in figures[0] if name.startswith(("delay_", "said_", "taken_"))}
    worst |= {"punctual": min, "adds_up": all}
    return {name: worst.get(name, sum)([one[name] for one in figures]) for name in figures[0]}


def shortcomings(figures, arguments):
    """What a campaign must show beyond the judge's promises, or it has proved nothing."""
    wanted = max(1, int(TAILS_JUDGED_SHARE_MIN * arguments.count))
    found = []
    if figures["kills"] != arguments.count:
        found.append(f"{figures['kills']} kills were done, {arguments.count} were asked for")
    if figures["epochs"] != 1:
        found.append(f"{figures['epochs']} epochs: a kill is no reason for a new one")
    if figures["gap_records"]:
        found.append(f"{figures['gap_records']} gaps: the outbox has room for all of this")
    if figures["tails_judged"] < wanted:
        found.append(f"{figures['tails_judged']} lives were long enough to tell how much a kill took, "
                     f"{wanted} are needed: ask for more kills")
    return found


def milliseconds(seconds):
    return f"{seconds * 1000:.0f}ms"


if __name__ == "__main__":
    sys.exit(main())
