# SPDX-License-Identifier: Apache-2.0
"""Waits until what an agent made durable has arrived at a consumer."""

from tests.tools import message as wire
from tests.tools.child import wait_until


class Delivery:
    """Follows one agent and one consumer, and parses each message once."""

    def __init__(self, agent, consumer):
        self._agent = agent
        self._consumer = consumer
        self._received = set()  # or reported as a gap
        self._merged = []
        self._position = 0

    def missing(self):
        """(epoch, seq) of what is durable by the agent's logs, and neither arrived nor is reported as
        a gap."""
        arrivals = self._consumer.snapshot()
        for arrival in arrivals[self._position:]:
            try:
                message = wire.parse(arrival.topic, arrival.payload)
            except wire.Unreadable:
                continue  # the judge will say so
            self._received.add((message.epoch, message.seq))
            if message.is_merged:
                self._merged.append(message)
            for gap in message.gaps:
                if gap.last_seq:
                    self._received.update((gap.epoch or message.epoch, seq)
                                          for seq in range(gap.first_seq, gap.last_seq + 1))
        self._position = len(arrivals)
        return {(segment.epoch, segment.seq) for segment in self._agent.all_durable()
                if (segment.epoch, segment.seq) not in self._received
                and not any(merged.covers(segment.epoch, segment.lane, segment.seq) for merged in self._merged)}

    def wait(self, seconds=30):
        """Until everything has arrived that is durable at the moment of the call."""
        wanted = self.missing()
        try:
            wait_until(lambda: not wanted & self.missing(), seconds, "delivery", every=0.2)
        except TimeoutError:
            raise TimeoutError(f"{len(wanted & self.missing())} durable segments have not arrived after "
                               f"{seconds:g} s; the agent's log says:\n{self._agent.last_words()}"
                               ) from None

    def settle(self, seconds=30, lives=3):
        """Ends the agent in order and sees to it that all it made durable has arrived. What it could
        not send in the two seconds that it gives itself at the end waits in the outbox, as promised:
        a further life must deliver it."""
        if self._agent.running:
            self._agent.stop()
        for life in range(lives):
            try:
                self.wait(4)
                return
            except TimeoutError:
                if life + 1 == lives:
                    raise
            self._agent.start()
            self._agent.wait_for_log("link up", seconds=30)
            self.wait(seconds)
            self._agent.stop()
