# SPDX-License-Identifier: Apache-2.0
"""What `./dev campaign cluster` judges by, without its cluster: three RabbitMQ nodes take half a minute to start, and each kill as long again,
so the campaign itself is run by hand. Here its judge sees one lost message of one of two agents, and its switch leads around a port
where nobody listens."""

import socket
import threading

import pytest

from tests.campaigns import cluster
from tests.campaigns.cluster_nodes import Switch
from tests.end_to_end.road import Road
from tests.tools.agent import Agent, ramp_source
from tests.tools.certificates import CertificateAuthority
from tests.tools.delivery import Delivery
from tests.tools.ports import free_port
from tests.tools.scratch import Scratch


@pytest.fixture(scope="module")
def delivered(binary):
    """Two agents that have ended, and all that arrived of both."""
    with Scratch("cluster") as scratch:
        authority = CertificateAuthority(scratch.folder("ca"))
        with Road(binary, scratch, authority) as road:
            agents = [Agent(binary, scratch.folder(name), name=name, broker=road.broker, certificate=authority.client(name),
                            flush_interval=cluster.FLUSH_SECONDS, sections={**ramp_source(series=3), "self": {"enabled": False}})
                      for name in ("proof-1", "proof-2")]
            try:
                for agent in agents:
                    agent.start()
                road.consumer.wait_for_count(40, 60)
                for agent in agents:
                    Delivery(agent, road.consumer).settle(60)
            finally:
                for agent in agents:
                    agent.abandon()
            yield agents, road.consumer.snapshot()


def test_each_agent_is_judged_by_what_came_of_it(delivered):
    agents, arrivals = delivered
    for agent in agents:
        figures, violations = cluster.judged(agent, arrivals)
        assert not violations
        assert figures["readings"] > 0 and figures["lost"] == 0
    assert sum(cluster.judged(agent, arrivals)[0]["messages"] for agent in agents) == len(arrivals)


def test_a_message_that_a_node_took_with_it_is_seen(delivered):
    agents, arrivals = delivered
    of_second = [arrival for arrival in arrivals if "/proof-2/" in arrival.topic]
    without = [arrival for arrival in arrivals if arrival is not of_second[len(of_second) // 2]]
    assert not cluster.judged(agents[0], without)[1]
    figures, violations = cluster.judged(agents[1], without)
    assert figures["lost"] > 0
    assert any("proof-2: LOST" in violation for violation in violations), violations


def test_messages_in_the_wrong_order_are_seen(delivered):
    agents, arrivals = delivered
    of_first = [arrival for arrival in arrivals if arrival.topic.endswith("/proof-1/live")]
    a, b = of_first[len(of_first) // 2:][:2]
    swapped = [b if arrival is a else a if arrival is b else arrival for arrival in arrivals]
    for far in ((), (a.received - 5,)):
        figures, violations = cluster.judged(agents[0], swapped, far)
        assert figures["order_violations"] == 1 and any("arrived after seq" in violation for violation in violations)


def test_what_changes_places_as_a_node_comes_or_goes_is_counted_apart(delivered):
    agents, arrivals = delivered
    of_first = [arrival for arrival in arrivals if arrival.topic.endswith("/proof-1/live")]
    a, b = of_first[len(of_first) // 2:][:2]
    swapped = [b if arrival is a else a if arrival is b else arrival for arrival in arrivals]
    figures, violations = cluster.judged(agents[0], swapped, [a.received + 0.5])
    assert not violations
    assert figures["order_violations"] == 0 and figures["reordered_at_a_node_change"] == 1


def test_a_kill_that_met_no_drain_is_no_trial():
    assert cluster.shortcomings(1, {"segments_waiting_at_kill_min": 0})
    assert not cluster.shortcomings(1, {"segments_waiting_at_kill_min": 1})


@pytest.fixture
def echoes():
    """Two servers that answer with their own number, and a port where nobody listens."""
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]

    taken = []

    def serve(number, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            taken.append(connection)
            connection.sendall(str(number).encode())

    for number, listener in enumerate(listeners):
        threading.Thread(target=serve, args=(number, listener), daemon=True).start()
    yield [listeners[0].getsockname()[1], free_port(), listeners[1].getsockname()[1]]
    for end in [*listeners, *taken]:
        end.close()


def test_the_switch_leads_around_a_node_that_is_away_and_hangs_up_on_all_in_an_outage(echoes):
    switch = Switch(free_port(), echoes)
    switch.start()
    try:
        def connect():
            connection = socket.create_connection(("127.0.0.1", switch.port))
            connection.settimeout(30)
            return connection

        connections = [connect() for _ in range(4)]
        assert sorted(connection.recv(1) for connection in connections) == [b"0", b"0", b"1", b"1"]
        assert list(switch.live.values()) == [2, 0, 2]
        switch.close()
        for connection in connections:
            assert ended(connection)
        assert ended(connect())
        switch.open()
        assert connect().recv(1) in (b"0", b"1")
    finally:
        switch.stop()


def ended(connection):
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True
