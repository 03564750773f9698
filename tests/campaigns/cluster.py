#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`./dev campaign cluster`: several agents send to a cluster of three RabbitMQ nodes over mutual TLS; after each outage, while their
backlogs drain, one node is killed (SIGKILL); it comes back, and another is killed. Nothing durable may be lost.

The agent knows one address of a broker (`[broker] url`), so a switch of TCP connections stands before the nodes, as an operator's load balancer
would: who loses a connection comes back on another node. Per agent, tests/tools/history.py judges what arrived as in every other
campaign: all that was durable, once in order, duplicates with the same content only. Limits of Debian's RabbitMQ 3.10, by which this is built:

- MQTT 3.1.1 only (`[broker] mqtt_version = "3.1.1"`): no reason codes, so a refusal is a connection that ends.
- A PUBACK comes when every queue that the message was routed to has confirmed it: a quorum queue when a majority of its nodes has it in
  its log on disk. A message that no queue is bound for is acknowledged and gone, so the consumer's queue has to be there before the agents
  are; it is a quorum queue by `mqtt.durable_queue_type = quorum` (the default is one node's, and its messages would be away with that node).
- Retained messages stay on the node that took them. The agent needs none.
- Client names are kept by agreement of the nodes, too: with two of three away nobody can connect. Nodes that start for the first time
  at once may leave one out of that agreement, and the end of another then keeps clients from connecting ("client ID registration timed
  out"), and that node from starting: so they are started one after the other.
- At the instant at which nodes see each other come or go, messages on their way through the cluster may change places, of connections that
  stand: seen once in sixteen kills, of two agents within the same 200 ms, at other nodes' "node up". So a message that comes after a newer one
  within a second of such a line in a node's log is counted (`reordered_at_a_node_change`) and not held against the agent; any other is.
"""

import argparse
import json
import random
import re
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.campaigns import cluster_nodes, processes  # noqa: E402
from tests.tools import history as judge  # noqa: E402
from tests.tools import schema  # noqa: E402
from tests.tools.agent import Agent, ramp_source  # noqa: E402
from tests.tools.certificates import CertificateAuthority  # noqa: E402
from tests.tools.child import boot_seconds, wait_until  # noqa: E402
from tests.tools.consumer import Consumer  # noqa: E402
from tests.tools.delivery import Delivery  # noqa: E402
from tests.tools.scratch import Scratch  # noqa: E402

FLUSH_SECONDS = 0.1
PATIENCE = 180
# From the first message after the outage on: in a full window, or anywhere in the drain of an agent that sends slowly.
KILL_WITHIN_SECONDS = (0.1, 4.0)
NODE_CHANGE_SECONDS = 1.0
DISPLACED = re.compile(r"seq (\d+) of epoch (\S+), lane \S+, arrived after seq")


def main():
    arguments = parse_arguments()
    reason = cluster_nodes.unavailable_because()
    if reason:
        print(f"SKIPPED: {reason}")
        return 1
    binary, seed = processes.begin_with_agent("cluster", arguments, f"{arguments.count} nodes killed, {arguments.agents} agents")
    with Scratch("cluster") as scratch:
        figures, violations = campaign(binary, scratch, arguments, random.Random(seed))
        for violation in violations[:20]:
            print(f"violation: {violation}")
        if violations:
            print(f"logs are left in {scratch.keep()}")
    print(" ".join(f"{key}={value}" for key, value in figures.items()) + f" violations={len(violations)}")
    return 1 if violations else 0


def parse_arguments(words=None):
    parser = argparse.ArgumentParser(prog="./dev campaign cluster", description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--seed", type=int, help="default: random, printed")
    parser.add_argument("--count", type=int, default=6, help="nodes killed, one after the other (6)")
    parser.add_argument("--agents", type=int, default=4, help="(4)")
    parser.add_argument("--series", type=int, default=20, help="ramps of each, read every 100 ms (20)")
    parser.add_argument("--outage", type=float, default=15.0, help="seconds without a network before each kill (15)")
    parser.add_argument("--rate", default="40KiB", help="what every other agent may send in a second, so that a drain takes its time (40KiB)")
    parser.add_argument("--binary", help="agent to run; default: FIELDPOST_BINARY, else the built one")
    return parser.parse_args(words)


def campaign(binary, scratch, arguments, chance):
    authority = CertificateAuthority(scratch.folder("ca"))
    names = [f"proof-{number}" for number in range(1, arguments.agents + 1)]
    figures, violations = Counter(), []
    with cluster_nodes.RabbitCluster(scratch.folder("nodes"), authority, ["consumer", *names]) as cluster, \
            Consumer(cluster.consumers, authority.client("consumer")) as consumer:
        print(f"  the cluster is up after {cluster.started_in:.0f} s", flush=True)
        agents = [Agent(binary, scratch.folder(name), name=name, broker=cluster.devices, certificate=authority.client(name), flush_interval=FLUSH_SECONDS,
                        sections={**ramp_source(series=arguments.series), "self": {"enabled": False},
                                  "broker": {"mqtt_version": "3.1.1", "acknowledge_timeout": "10s", "backoff_max": "3s"},
                                  **({"sync": {"bytes_per_second_max": arguments.rate}} if number % 2 else {})})
                  for number, name in enumerate(names)]
        try:
            for agent in agents:
                agent.start()
            for agent in agents:
                agent.wait_for_log("link up", seconds=PATIENCE)
            deliveries = [Delivery(agent, ArrivalsOf(agent, consumer)) for agent in agents]
            before = None
            for number in range(1, arguments.count + 1):
                before, found = kill_one(cluster, before, deliveries, consumer, arguments.outage, chance)
                print(f"  kill {number}: node {before.number}, " + " ".join(f"{key}={value}" for key, value in found.items()), flush=True)
                violations += shortcomings(number, found)
                add(figures, found)
            for delivery in deliveries:
                delivery.settle(PATIENCE)
        except (TimeoutError, RuntimeError) as error:
            return figures, violations + [str(error)]
        finally:
            for agent in agents:
                agent.abandon()
        arrivals = consumer.snapshot()
        figures["consumer_connects"] = consumer.connects
        changes = [instant for node in cluster.nodes for instant in node.changes_seen()]
    for agent in agents:
        found, said = judged(agent, arrivals, changes)
        violations += said
        add(figures, found)
    return {"agents": arguments.agents, **figures}, violations


def add(total, found):
    """Sums, but the worst of what is a maximum or a minimum."""
    for key, value in found.items():
        if key.endswith("_max_ms"):
            total[key] = max(total.get(key, value), value)
        elif key.endswith("_min"):
            total[key] = min(total.get(key, value), value)
        else:
            total[key] = total.get(key, 0) + value


class ArrivalsOf:
    """The consumer, as far as one agent goes."""

    def __init__(self, agent, consumer):
        self._name, self._consumer = agent.name, consumer

    def snapshot(self):
        return of_device(self._name, self._consumer.snapshot())


def of_device(name, arrivals):
    return [arrival for arrival in arrivals if arrival.topic.split("/")[1] == name]


def kill_one(cluster, before, deliveries, consumer, outage, chance):
    """An outage, a drain, and in its midst the end of a node, not the one of `before`; then it comes back."""
    cluster.devices.switch.close()
    time.sleep(outage)
    count = consumer.count
    cluster.devices.switch.open()
    consumer.wait_for_count(count + 1, PATIENCE, "the first message after the outage")
    time.sleep(chance.uniform(0, chance.choice(KILL_WITHIN_SECONDS)))
    live = cluster.devices.switch.live
    others = [node for node in cluster.nodes if node is not before]
    victim = chance.choice([node for node in others if live[node.mqtt_port]] or others)
    broken = live[victim.mqtt_port]
    victim.kill()
    killed = boot_seconds()
    wanted = [delivery.missing() for delivery in deliveries]
    for delivery, missing in zip(deliveries, wanted):
        wait_until(lambda d=delivery, m=missing: not m & d.missing(), PATIENCE, "what waited when a node was killed", every=0.3)
    drained = boot_seconds()
    victim.start()
    victim.wait_up()
    found = {"kills": 1, "connections_broken": broken, "segments_waiting_at_kill_min": sum(map(len, wanted)),
             "drained_after_max_ms": round((drained - killed) * 1000), "node_back_after_max_ms": round((boot_seconds() - drained) * 1000)}
    return victim, found


def shortcomings(number, found):
    """Of the trial itself: a kill that meets nothing proves nothing."""
    if found["segments_waiting_at_kill_min"] == 0:
        return [f"kill {number}: nothing waited any more, so it met no drain"]
    return []


def judged(agent, arrivals, changes=()):
    """`changes`: when nodes came or went, in boot-time seconds."""
    of_agent = of_device(agent.name, arrivals)
    verdict = judge.check(judge.History(agent.runs, of_agent, FLUSH_SECONDS))
    excused = [violation for violation in verdict.violations if is_of_the_cluster(violation, of_agent, changes)]
    said = [f"{agent.name}: {violation}" for violation in verdict.violations + schema.violations(of_agent) if violation not in excused]
    return {"messages": len(of_agent), "readings": verdict.figures["ramp_received"], "lost": verdict.figures["lost"] + verdict.figures["missing_values"],
            "duplicates": verdict.figures["duplicates"], "order_violations": verdict.figures["order_violations"] - len(excused),
            "reordered_at_a_node_change": len(excused)}, said


def is_of_the_cluster(violation, arrivals, changes):
    found = DISPLACED.search(violation)
    if not found:
        return False
    documents = ((arrival.received, json.loads(arrival.payload)) for arrival in arrivals)
    came = next(received for received, document in documents if (str(document["seq"]), document["epoch"]) == found.groups())
    return any(abs(came - change) <= NODE_CHANGE_SECONDS for change in changes)


if __name__ == "__main__":
    sys.exit(main())
