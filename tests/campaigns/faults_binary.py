# SPDX-License-Identifier: Apache-2.0
"""The real agent, in which one system call fails: the n-th of its kind in each thread, once or from there on, given by strace;
or which has little memory. From its start over the handshake, commits, sends and acknowledgements to its stop it either goes on
or ends with a clear line and an exit code; never by a signal, never in a hang. A second, healthy life on the same directory
must start and deliver all that was durable, with no number used twice.

Which calls there are, and how many in each thread, a run without faults tells. An allocation that fails (brk, mmap; or a limit
on the address space) may be one of mbedTLS, cJSON, Paho or SQLite as well as our own; ours end the process with exit code 3.
"""

import re
import shutil
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from tests.tools import history as judge
from tests.tools.agent import Agent, find_binary, ramp_source
from tests.tools.broker import Broker
from tests.tools.certificates import CertificateAuthority
from tests.tools.child import wait_until
from tests.tools.consumer import Consumer
from tests.tools.delivery import Delivery
from tests.tools.scratch import Scratch

FLUSH_SECONDS = 0.1
LIFE_SECONDS = 1.5        # once it is up; it may be at its end before
START_SECONDS_MAX = 5     # an agent without its control socket is given so long
STOP_SECONDS_MAX = 30     # it gives itself 5
DELIVERY_SECONDS_MAX = 40
SIGALRM, SIGTERM = 14, 15
CONFIGURATION_REFUSED = 1  # with one line a problem; whatever else ends it has one line

# What the kernel may answer. Left out: what cannot fail (a futex that is woken among it), and what the C library's own start calls
# before main().
ERRORS = {
    "accept4": ["EMFILE"], "bind": ["EADDRINUSE"], "chmod": ["EPERM"], "clock_adjtime": ["EPERM"], "clone3": ["EAGAIN"],
    "close": ["EIO"], "connect": ["ENETUNREACH"], "dup3": ["EBUSY"], "epoll_create1": ["EMFILE"], "epoll_ctl": ["ENOMEM"],
    "epoll_wait": ["EINTR"], "eventfd2": ["EMFILE"], "fallocate": ["ENOSPC", "EOPNOTSUPP"], "fchmod": ["EPERM"],
    "fcntl": ["ENOLCK"], "fdatasync": ["EIO"], "flock": ["ENOLCK"], "fstatfs": ["EIO"], "fsync": ["EIO"], "ftruncate": ["EIO"],
    "getrandom": ["ENOSYS"], "getsockopt": ["EINVAL"], "ioctl": ["ENOTTY"], "listen": ["EADDRINUSE"],
    "lseek": ["EINVAL"], "mkdir": ["EACCES"], "newfstatat": ["EIO"], "openat": ["EMFILE", "EIO"], "pipe2": ["EMFILE"],
    "poll": ["ENOMEM"], "prctl": ["EINVAL"], "pread64": ["EIO"], "pwrite64": ["EIO", "ENOSPC"], "read": ["EIO"],
    "readlink": ["ENOENT"], "recvfrom": ["ECONNRESET"], "rename": ["EIO"], "sendto": ["EPIPE"], "setsockopt": ["EINVAL"],
    "shutdown": ["ENOTCONN"], "socket": ["EMFILE"], "socketpair": ["EMFILE"], "timerfd_create": ["EMFILE"],
    "timerfd_settime": ["ECANCELED"], "uname": ["EFAULT"], "unlink": ["EACCES"], "write": ["EIO", "ENOSPC"],
    "writev": ["EPIPE"],
}
# No kernel answers so for ever.
ONLY_ONCE = ("epoll_wait",)
# Of the store's files and the log only: pipes, timers and eventfds of our own do not fail, and without them no signal arrives.
OF_FILES = ("fcntl", "read", "write")
STATE_FILES = ("fieldpost.lock", "outbox.db", "outbox.db-wal", "outbox.marks", "outbox.reserve", "state.db", "state.db-wal")
MEMORY_CALLS = ("brk", "mmap")
# strace cannot name a size of memory; the shell can. KiB of address space: from too little for the start to enough.
ADDRESS_SPACE_KIB = (5_000, 60_000)


def run(chance, count, *, binary=None, jobs=4):
    """`count` faults at random, a fourth of them of memory; 0: every one."""
    with Scratch("faults") as scratch:
        trials = Trials(binary or find_binary(), scratch)
        trials.prepare()
        trials.run(trials.choose(chance, count), jobs)
        if trials.violations:
            print(f"logs are left in {scratch.keep()}", flush=True)
    return trials.figures(), not trials.violations


class Trials:
    def __init__(self, binary, scratch):
        self.violations = []
        self._binary = binary
        self._scratch = scratch
        self._authority = CertificateAuthority(scratch.folder("ca"))
        self._certificate = self._authority.client("proof-1")
        self._consumer_certificate = self._authority.client("consumer")
        self._calls = {}
        self._counts = Counter(faults=0, went_on=0, ended_with_a_line=0, ended_by_its_own_alarm=0, durable_segments=0, told_readings=0)
        self._lock = threading.Lock()

    def figures(self):
        return {**self._counts, "kinds_of_calls": len(self._calls), "violations": len(self.violations)}

    def prepare(self):
        """A run without faults: how often does a thread make each call?"""
        trace = self._scratch.path / "trace"
        with Broker(self._scratch.folder("broker-before"), self._authority) as broker:
            with self._consumer("before", broker) as consumer:
                agent = self._agent("before", broker)
                self._start(agent, f"strace -D -f -qq -o {trace} --")
                consumer.wait_for_count(8, 60)
                agent.stop()
        text = trace.read_text(errors="replace")
        per_thread = Counter(re.findall(r"^(\d+)\s+(\w+)\(", text, re.MULTILINE))
        # The first thing that main() asks of the system.
        before_main = Counter(re.findall(r"^\d+\s+(\w+)\(", text[:text.index("rt_sigaction(SIGPIPE")], re.MULTILINE))
        for (_, call), times in per_thread.items():
            self._calls[call] = max(self._calls.get(call, range(0)), range(before_main[call] + 1, times + 1), key=len)
        self._calls = {call: numbers for call, numbers in self._calls.items() if numbers}

    def choose(self, chance, count):
        """The kinds in turn, so that a call made once is tried as well as one made a hundred times."""
        ordinary = [(call, error) for call, errors in ERRORS.items() if call in self._calls for error in errors]
        if count == 0:
            faults = [(call, error, n, forever) for call, error in ordinary + [(call, "ENOMEM") for call in MEMORY_CALLS]
                      for n in self._calls.get(call, ()) for forever in (False, True)[:1 if call in ONLY_ONCE else 2]]
            return faults + [("address space", kib, 0, True) for kib in range(*ADDRESS_SPACE_KIB, 1000)]
        chance.shuffle(ordinary)
        faults = []
        for number in range(count):
            kind = number % 8
            if kind == 3:
                faults.append(("address space", chance.randint(*ADDRESS_SPACE_KIB), 0, True))
            else:
                call, error = (chance.choice([call for call in MEMORY_CALLS if call in self._calls]), "ENOMEM") if kind == 7 else ordinary[number % len(ordinary)]
                faults.append((call, error, chance.choice(self._calls[call]), call not in ONLY_ONCE and chance.random() < 0.4))
        return faults

    def run(self, faults, jobs):
        brokers = []
        local = threading.local()

        def one(numbered):
            number, fault = numbered
            if not hasattr(local, "broker"):
                with self._lock:
                    local.broker = Broker(self._scratch.folder(f"broker-{len(brokers)}"), self._authority)
                    brokers.append(local.broker)
                local.broker.start()
            self._trial(number, fault, local.broker)
        try:
            with ThreadPoolExecutor(jobs) as pool:
                for done, _ in enumerate(pool.map(one, enumerate(faults)), start=1):
                    if done % 20 == 0:
                        print(f"  {done} of {len(faults)} faults, {len(self.violations)} violations", flush=True)
        finally:
            for broker in brokers:
                broker.stop()

    def _agent(self, name, broker):
        return Agent(self._binary, self._scratch.folder(name), name=name, broker=broker, certificate=self._certificate,
                     flush_interval=FLUSH_SECONDS, sections={**ramp_source(series=3, interval="50ms"), "self": {"enabled": False},
                                                             "broker": {"backoff_max": "1s", "connect_timeout": "2s"}})

    def _consumer(self, name, broker):
        return Consumer(broker, self._consumer_certificate, topics=(f"fieldpost/{name}/#",), client_id=f"consumer-{name}")

    def _start(self, agent, prefix):
        """Under `prefix`; only the agent itself, not what asks for its status."""
        wrapper = agent.folder / "faulty"
        wrapper.write_text(f'#!/bin/sh\n{prefix if "ulimit" in prefix else "exec " + prefix} {self._binary} "$@"\n')
        wrapper.chmod(0o755)
        agent.binary = wrapper
        agent.start()
        agent.binary = self._binary

    def _trial(self, number, fault, broker):
        call, error, n, forever = fault
        what = f"{call}={error} at {n}{' and ever after' if forever else ''}"
        name = f"fault-{number}"
        try:
            with self._consumer(name, broker) as consumer:
                agent = self._agent(name, broker)
                try:
                    found = self._lives(agent, consumer, fault)
                finally:
                    agent.abandon()
                found += self._judge(agent, consumer)
        except (TimeoutError, RuntimeError, OSError) as error:
            found = [f"{type(error).__name__}: {error}"]
        with self._lock:
            self._counts["faults"] += 1
            for one in found:
                self.violations.append(f"{name}, {what}: {one}")
                print(f"violation: {self.violations[-1]}", flush=True)
        if not found:
            shutil.rmtree(self._scratch.path / name, ignore_errors=True)

    def _lives(self, agent, consumer, fault):
        call, error, n, forever = fault
        if call == "address space":
            self._start(agent, f"ulimit -v {error}; exec")
        else:
            # brk() has no errors: it answers with where the heap ends. A large number, as an error is one, would be believed.
            answer = "retval=0" if call == "brk" else f"error={error}"
            files = [agent.folder / "run-1.log", *(agent.state_directory / name for name in STATE_FILES)] if call in OF_FILES else []
            self._start(agent, f"strace -D -f -qq -o /dev/null {' '.join(f'-P {file}' for file in files)} -e trace={call} "
                               f"-e inject={call}:{answer}:when={n}{'+' if forever else ''} --")
        found = self._first_life(agent, call)
        agent.start()
        agent.wait_for_log("link up", seconds=30)
        wanted = len(agent.durable_segments()) + 2
        wait_until(lambda: len(agent.durable_segments()) >= wanted, 30, "commits in the second life")
        try:
            Delivery(agent, consumer).settle(DELIVERY_SECONDS_MAX, lives=2)
        except TimeoutError as problem:
            found.append(str(problem).splitlines()[0])
        return found

    def _first_life(self, agent, call):
        began = time.monotonic()
        while agent.running and time.monotonic() - began < START_SECONDS_MAX and not agent.log_line_with("segments acknowledged"):
            time.sleep(0.05)
        began = time.monotonic()
        while agent.running and time.monotonic() - began < LIFE_SECONDS:
            time.sleep(0.05)
        ended_by_itself = not agent.running
        code = agent.end(STOP_SECONDS_MAX)
        return self._look_at_end(agent, call, code, ended_by_itself)

    def _look_at_end(self, agent, call, code, ended_by_itself):
        found = []
        lines = [line for line in agent.log_file().read_text(errors="replace").splitlines() if line.startswith("fieldpost")]
        if code is None:
            found.append(f"it hung for {STOP_SECONDS_MAX} s after SIGTERM")
        elif code == -SIGALRM and not ended_by_itself:
            self._counts["ended_by_its_own_alarm"] += 1
        elif code < 0 and not (code == -SIGTERM and call.startswith("rt_sig")):
            found.append(f"it ended by signal {-code}: {agent.last_words()[-600:]}")
        elif code == 0 and not ended_by_itself:
            self._counts["went_on"] += 1
        elif code == 0:
            found.append("it ended by itself with 0")
        elif (not lines or (code != CONFIGURATION_REFUSED and len(lines) > 1)) and call != "write":
            found.append(f"it ended with {code} and {len(lines)} lines that say why: {lines}")
        else:
            self._counts["ended_with_a_line"] += 1
        return found

    def _judge(self, agent, consumer):
        verdict = judge.check(judge.History(agent.runs, consumer.snapshot(), FLUSH_SECONDS), start_allowance=3600)
        self._counts["durable_segments"] += verdict.figures["durable_segments"]
        self._counts["told_readings"] += verdict.figures["gap_readings"]
        # What was never durable may be gone, and a commit may be late: a fault is no reason to be in time.
        excused = (" after its newest reading that arrived", " after its oldest reading")
        return [violation for violation in verdict.violations if not any(words in violation for words in excused)]
