# SPDX-License-Identifier: Apache-2.0
"""The shortest proof that a binary does its job: durable readings over mutual TLS, all of them, once, in order.

`./dev cross` and stage arm run this with the binary of another architecture under QEMU (toolchains/emulation.py); here it runs
with this machine's own.
"""
from tests.tools.agent import ramp_source


def test_durable_readings_arrive_over_mutual_tls(road):
    agent = road.agent(flush_interval=0.5, sections=ramp_source(series=50, interval="250ms"))
    with agent:
        road.wait_for(lambda messages: sum(m.readings for m in messages) >= 1000, 60, "1,000 readings")
    road.settle(agent)
    figures = road.assert_all_well(agent)
    assert figures["received_readings"] == figures["durable_readings"] >= 1000
    assert figures["duplicates"] == figures["gap_readings"] == 0
    print(f"\n{figures['received_readings']} of {figures['durable_readings']} durable readings received")
