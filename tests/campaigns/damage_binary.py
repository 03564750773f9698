# SPDX-License-Identifier: Apache-2.0
"""The real agent, started on a state directory with damage at random places, connected to a real broker: it runs, samples,
sends what it reads now, and nothing of before that is not as it was."""

import os
import queue
import shutil
import threading
import time
from collections import Counter

from tests.tools import message as wire
from tests.tools.agent import Agent, find_binary, ramp_source
from tests.tools.broker import Broker
from tests.tools.certificates import CertificateAuthority
from tests.tools.child import wait_until
from tests.tools.consumer import Consumer
from tests.tools.scratch import Scratch

WORKERS = 3
# A database that cannot be read at all is set aside after six attempts with back-off: half a minute, on a busy machine more.
SECONDS_MAX = 120
KINDS = {"invert": 30, "bit": 10, "cut": 20, "sector": 10, "block": 10, "swap": 10, "zeros": 2, "gone": 2, "other": 2, "directory": 2,
         "fifo": 2}


def run(chance, count, *, binary=None, altered=None):
    """`altered`, for a test of this judge: what becomes of a message of before the damage on its way."""
    with Scratch("damage") as scratch:
        trials = Trials(binary or find_binary(), scratch, altered or (lambda content: content))
        trials.prepare()
        trials.run(chance, count)
        for violation in trials.violations:
            print(f"violation: {violation}", flush=True)
        if trials.violations:
            print(f"logs are left in {scratch.keep()}", flush=True)
    return trials.figures(), not trials.violations


class Trials:
    def __init__(self, binary, scratch, altered):
        self.violations = []
        self._binary = binary
        self._scratch = scratch
        self._altered = altered
        self._authority = CertificateAuthority(scratch.folder("ca"))
        self._files = {}
        self._known = {}  # (epoch, seq) -> content, of what waited before the damage
        self._counts = Counter(starts=0, messages_compared=0)
        self._longest = 0.0

    def figures(self):
        return {**self._counts, "seconds_to_first_new_message_max": f"{self._longest:.1f}", "violations": len(self.violations)}

    def prepare(self):
        """A store that was killed with something in it; and what it sends when nothing is damaged."""
        with Broker(self._scratch.folder("broker-before"), self._authority) as broker, \
                Consumer(broker, self._authority.client("consumer")) as consumer:
            agent = self._agent("before", broker).start()
            consumer.wait_for_count(8, 60)
            broker.stop()
            durable = len(agent.durable_segments())
            wait_until(lambda: len(agent.durable_segments()) > durable + 20, 60, "twenty segments without a broker")
            agent.kill()
        self._files = {path.name: path.read_bytes() for path in sorted(agent.state_directory.iterdir())}
        # What was sent before the kill is known as well: its acknowledgement may be lost with the damage.
        self._known = {(message.epoch, message.seq): content_of(message) for message in messages_of(consumer)}
        with Broker(self._scratch.folder("broker-undamaged"), self._authority) as broker:
            before = {(segment.epoch, segment.seq) for segment in agent.all_durable()}
            for message in self._live("undamaged", broker, lambda _: None):
                if (message.epoch, message.seq) in before:
                    self._known.setdefault((message.epoch, message.seq), content_of(message))

    def run(self, chance, count):
        jobs = queue.Queue()
        for number in range(count):
            jobs.put((number, choose(chance, self._files)))

        def work(worker):
            with Broker(self._scratch.folder(f"broker-{worker}"), self._authority) as broker:
                while True:
                    try:
                        number, damage = jobs.get_nowait()
                    except queue.Empty:
                        return
                    self._trial(f"start-{number}", broker, damage)
        threads = [threading.Thread(target=work, args=(worker,)) for worker in range(min(WORKERS, count))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _agent(self, name, broker):
        return Agent(self._binary, self._scratch.folder(name), broker=broker, certificate=self._authority.client("proof-1"),
                     sections={**ramp_source(series=5), "self": {"enabled": False}})

    def _trial(self, name, broker, damage):
        what, apply = damage
        try:
            messages = self._live(name, broker, apply)
            for message in messages:
                known = self._known.get((message.epoch, message.seq))
                if known is None:
                    continue
                self._counts["messages_compared"] += 1
                if self._altered(content_of(message)) != known:
                    self.violations.append(f"{name}, {what}: seq {message.seq} of epoch {message.epoch} has another content than before")
            shutil.rmtree(self._scratch.path / name, ignore_errors=True)
        except (TimeoutError, RuntimeError, wire.Unreadable) as error:
            self.violations.append(f"{name}, {what}: {error}")
        self._counts["starts"] += 1

    def _live(self, name, broker, apply):
        """All messages of a life on these files, which ends in order once something read in it has arrived."""
        agent = self._agent(name, broker)
        agent.state_directory.mkdir(parents=True)
        for file, content in self._files.items():
            (agent.state_directory / file).write_bytes(content)
        apply(agent.state_directory)
        with Consumer(broker, self._authority.client("consumer"), client_id=name) as consumer:
            agent.start()
            began = time.monotonic()
            started = agent.runs[-1].started
            try:
                wait_until(lambda: not agent.running or any(is_new(message, started) for message in messages_of(consumer)), SECONDS_MAX,
                           "a message with a new reading", every=0.1)
                self._longest = max(self._longest, time.monotonic() - began)
                if not agent.running:
                    raise RuntimeError(f"the agent ended by itself:\n{agent.last_words()}")
                # Everything of before comes now as well, behind the newest.
                wait_until(lambda: waiting(agent) <= 3, SECONDS_MAX, "an empty outbox", every=0.3)
                agent.stop()
            finally:
                agent.abandon()
            messages = messages_of(consumer)
        self._check_ramps(name, [message for message in messages if is_new(message, started)])
        return messages

    def _check_ramps(self, name, messages):
        """Each read of a ramp gives one more: what arrived of this life has no holes."""
        values = {}
        for message in messages:
            for sample in message.samples:
                if sample.is_ramp:
                    values.setdefault(sample.series, set()).add(sample.value)
        for series, seen in values.items():
            if len(seen) != max(seen) - min(seen) + 1:
                self.violations.append(f"{name}: readings taken after the damage are missing in {series}")


def messages_of(consumer):
    return [wire.parse(arrival.topic, arrival.payload) for arrival in consumer.snapshot()]


def waiting(agent):
    return sum(lane["waiting_segments"] for lane in agent.status()["store"]["lanes"].values())


def is_new(message, started):
    return any(sample.is_ramp and sample.boot_seconds > started for sample in message.samples)


def content_of(message):
    """All but UTC, which a lost state may take."""
    return (message.lane, [(sample.series, sample.value, sample.boot_seconds) for sample in message.samples], message.summaries,
            message.events, message.gaps)


def choose(chance, files):
    """A damage, and what does it to a directory. The larger a file, the likelier; the small ones are not forgotten."""
    names = [name for name in files if files[name]]
    name = chance.choices(names, [max(len(files[name]) if name != "outbox.reserve" else 0, 8192) for name in names])[0]
    kind = chance.choices(list(KINDS), KINDS.values())[0]
    content = bytearray(files[name])
    at = chance.randrange(len(content))
    what = f"{kind} {name} at {at}"
    other = chance.choice([file for file in files if file != name])
    if kind == "invert":
        content[at] ^= 0xFF
    elif kind == "bit":
        content[at] ^= 1 << chance.randrange(8)
    elif kind == "cut":
        del content[at:]
    elif kind in ("sector", "block"):
        size = 512 if kind == "sector" else 4096
        at -= at % size
        size = min(size, len(content) - at)
        content[at:at + size] = chance.randbytes(size)
    elif kind == "swap":
        page, pages = at // 1024, max(1, len(content) // 1024)
        with_page = chance.randrange(pages)
        a, b = slice(page * 1024, page * 1024 + 1024), slice(with_page * 1024, with_page * 1024 + 1024)
        content[a], content[b] = content[b], content[a]
    elif kind == "zeros":
        content = bytearray(len(content))
    elif kind == "other":
        what, content = f"{name} is {other}", bytearray(files[other])

    def apply(directory):
        path = directory / name
        path.unlink()
        if kind == "directory":
            path.mkdir()
        elif kind == "fifo":
            os.mkfifo(path)
        elif kind != "gone":
            path.write_bytes(content)
    return what, apply
