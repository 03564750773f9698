# SPDX-License-Identifier: Apache-2.0
"""The whole road of one test: broker, consumer, the agents it makes, and the verdict at the end."""

from tests.tools import history as judge
from tests.tools import message as wire
from tests.tools import schema
from tests.tools.agent import Agent
from tests.tools.broker import Broker
from tests.tools.child import wait_until
from tests.tools.consumer import Consumer
from tests.tools.delivery import Delivery


class Road:
    def __init__(self, binary, scratch, authority, *, namespace=None):
        self.binary = binary
        self.scratch = scratch
        self.authority = authority
        if namespace is None:
            self.broker = Broker(scratch.folder("broker"), authority)
        else:
            self.broker = Broker(scratch.folder("broker"), authority,
                                 host=namespace.inside_address, address=namespace.inside_address,
                                 namespace=namespace.name)
        self.consumer = Consumer(self.broker, authority.client("consumer"))
        self._agents = []

    def __enter__(self):
        self.broker.start()
        self.consumer.start()
        return self

    def __exit__(self, *_):
        for agent in self._agents:
            agent.abandon()
        self.consumer.stop()
        self.broker.stop()

    def agent(self, name="proof-1", **options):
        options.setdefault("certificate", self.authority.client(name))
        options.setdefault("broker", self.broker)
        agent = Agent(self.binary, self.scratch.folder(name), name=name, **options)
        self._agents.append(agent)
        return agent

    def messages(self):
        """All that arrived, in order of arrival, duplicates included."""
        return [wire.parse(arrival.topic, arrival.payload) for arrival in self.consumer.snapshot()]

    def wait_for(self, condition, seconds, what):
        """Waits until `condition(messages)` gives something true, and returns it."""
        return wait_until(lambda: condition(self.messages()), seconds, what, every=0.2)

    def wait_until_delivered(self, agent, seconds=30):
        Delivery(agent, self.consumer).wait(seconds)

    def settle(self, agent):
        Delivery(agent, self.consumer).settle()

    def verdict(self, agent, **options):
        """The judge's word on everything so far; every message is checked against the schema."""
        arrivals = self.consumer.snapshot()
        verdict = judge.check(judge.History(agent.runs, arrivals, agent.flush_interval), **options)
        verdict.violations += schema.violations(arrivals)
        return verdict

    def assert_all_well(self, agent, **options):
        verdict = self.verdict(agent, **options)
        assert verdict.ok, f"{verdict}\nfigures: {verdict.figures}"
        assert verdict.figures["received_segments"] > 0, "nothing arrived at all"
        return verdict.figures
