# SPDX-License-Identifier: Apache-2.0
"""The agent under test: the real binary, started, killed and stopped; its log read to the end."""

import json
import os
import signal
import subprocess
from pathlib import Path

from tests.tools.child import Child, boot_seconds, wait_until
from tests.tools.history import Backlog, DurableSegment, Run
from tests.tools.log_line import boot_seconds_of, complete_lines, fields_of

REPOSITORY = Path(__file__).resolve().parents[2]
BINARY_PLACES = ("build/release/agent/fieldpost", "build/release/fieldpost",
                 "build/debug/agent/fieldpost", "build/debug/fieldpost")

# An agent built with sanitizers must not be mistaken for one that failed on purpose.
SANITIZER_EXIT_CODE = 99
SANITIZER_OPTIONS = {
    "ASAN_OPTIONS": f"exitcode={SANITIZER_EXIT_CODE}:detect_leaks=1",
    "UBSAN_OPTIONS": f"exitcode={SANITIZER_EXIT_CODE}:halt_on_error=1:print_stacktrace=1",
    "TSAN_OPTIONS": f"exitcode={SANITIZER_EXIT_CODE}",
}


def find_binary():
    """FIELDPOST_BINARY, or the first built one; raises FileNotFoundError with what to do."""
    named = os.environ.get("FIELDPOST_BINARY")
    if named:
        path = Path(named).resolve()
        if not os.access(path, os.X_OK):
            raise FileNotFoundError(f"FIELDPOST_BINARY={named} is not a program")
        return path
    for place in BINARY_PLACES:
        path = REPOSITORY / place
        if os.access(path, os.X_OK):
            return path
    raise FileNotFoundError("no fieldpost binary: run ./dev build, or set FIELDPOST_BINARY")


def toml_text(value):
    """JSON's quoting of strings, numbers and lists is TOML's too."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml_text(item)}" for key, item in value.items()) + " }"
    return json.dumps(str(value) if isinstance(value, Path) else value)


def ramp_source(name="proof", *, series=10, interval="100ms"):
    return {f"source.{name}": {"driver": "simulated", "shape": "ramp", "series": series,
                               "interval": interval}}


def seconds_of(duration):
    """Of the durations that tests write: "100ms", "10s"."""
    number, unit = duration.rstrip("ms"), duration.lstrip("0123456789.")
    return float(number) * {"ms": 0.001, "s": 1.0}[unit]


class Agent:
    """One device: its configuration, state directory and the logs of all its runs.

    `sections` maps TOML section names to their keys and is laid over the defaults here; the value
    None removes a section. A list of dicts is an array of tables ([[rule]])."""

    def __init__(self, binary, folder, *, name="proof-1", broker=None, url=None, ca_file=None,
                 certificate=None, sections=None, flush_interval=0.2, default_sources=False,
                 namespace=None):
        self.binary = binary
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.flush_interval = flush_interval
        self.namespace = namespace
        self.runs = []
        self._logs = []  # of each run: its file, and the first line in it that is the run's
        self._child = None
        self.state_directory = folder / "state"
        self.socket = folder / "control.sock"
        self.configuration_file = folder / "fieldpost.toml"
        self.sections = {
            "device": {"name": name, "state_directory": self.state_directory},
            "outbox": {"flush_interval": f"{round(flush_interval * 1000)}ms"},
            "log": {"level": "debug"},
            "control": {"socket": self.socket},
        }
        if broker is not None or url is not None:
            self.sections["broker"] = {
                "url": url or broker.url,
                "ca_file": ca_file or broker.ca.file,
            }
            if certificate is not None:
                self.sections["broker"]["certificate_file"] = certificate.certificate_file
                self.sections["broker"]["key_file"] = certificate.key_file
        if not default_sources:
            for source in default_source_names(binary):
                self.sections[f"source.{source}"] = {"enabled": False}
        for section, keys in (sections or {}).items():
            if keys is None:
                self.sections.pop(section, None)
            elif isinstance(keys, list):
                self.sections[section] = keys
            else:
                self.sections[section] = {**self.sections.get(section, {}), **keys}
        self.write_configuration()

    @property
    def ramp_series(self):
        return sum(keys.get("series", 1) for section, keys in self.sections.items()
                   if section.startswith("source.") and keys.get("shape") == "ramp")

    @property
    def ramp_interval(self):
        """Seconds between two reads of the slowest ramp."""
        return max((seconds_of(keys["interval"]) for section, keys in self.sections.items()
                    if section.startswith("source.") and keys.get("shape") == "ramp"), default=0.0)

    def configuration_text(self):
        lines = []
        for section, keys in self.sections.items():
            for table in keys if isinstance(keys, list) else [keys]:
                lines.append(f"[[{section}]]" if isinstance(keys, list) else f"[{section}]")
                lines += [f"{key} = {toml_text(value)}" for key, value in table.items()]
                lines.append("")
        return "\n".join(lines)

    def write_configuration(self):
        self.configuration_file.write_text(self.configuration_text())

    # Life

    def log_file(self, number=None):
        return self._logs[(number or len(self.runs)) - 1][0]

    @property
    def pid(self):
        return self._child.pid

    @property
    def running(self):
        return self._child is not None and self._child.running

    def start(self):
        self.state_directory.mkdir(parents=True, exist_ok=True)
        self._open_run(boot_seconds(), self.folder / f"run-{len(self.runs) + 1}.log", 0)
        self._child = Child([self.binary, "run", "--config", self.configuration_file],
                            error_file=self.log_file(), output_file=self.folder / "output.log",
                            namespace=self.namespace, environment={**os.environ, **SANITIZER_OPTIONS})
        return self

    def kill(self):
        """SIGKILL. Returns how long the run had lasted."""
        self._child.kill()
        self._close_run(killed=True)
        return self.runs[-1].ended - self.runs[-1].started

    def stop(self, seconds=15.0):
        """SIGTERM; raises if the agent does not go in order or says that it was broken. An agent that is
        still starting is given the time: before it listens for signals, SIGTERM simply ends it."""
        self.wait_until_up()
        self.runs[-1].asked_to_stop = boot_seconds()
        code = self._child.stop(seconds)
        self._close_run(killed=False)
        if code is None:
            raise TimeoutError(f"the agent ignored SIGTERM for {seconds:g} s\n{self.last_words()}")
        if code != 0:
            raise RuntimeError(f"the agent ended with {code} after SIGTERM\n{self.last_words()}")

    def end(self, seconds):
        """SIGTERM to whatever is there, if it still is. The exit code as the system has it; None if it had to be killed."""
        code = self._child.stop(seconds) if self.running else self._child.exit_code
        self._close_run(killed=code != 0)
        return code

    def reload(self, seconds=45):
        """SIGHUP with a configuration that is right: the process goes on as a new run. Raises if the agent
        does not begin anew."""
        self.wait_until_up()
        path, begins = self._logs[-1]
        self.runs[-1].asked_to_stop = boot_seconds()
        self.hang_up()

        def begun():
            lines = complete_lines(path)
            found = [number for number in range(begins + 1, len(lines)) if " starting " in lines[number]]
            return found and found[0]
        number = wait_until(begun, seconds, "the agent beginning anew")
        lines = complete_lines(path)[begins:number + 1]
        stopping = next(line for line in lines if "beginning anew" in line)
        # The last reading of the one and the first of the other lie close to these two lines.
        self.runs[-1].ended = (boot_seconds_of(stopping) + boot_seconds_of(lines[-1])) / 2
        self._open_run(self.runs[-1].ended, path, number)
        self._read_log_of(len(self.runs) - 1)

    def hang_up(self):
        self._child.signal(signal.SIGHUP)

    def wait_until_up(self, seconds=45):
        """Until it answers on its control socket, or has ended by itself."""
        def up():
            return not self.running or self._ask_status(seconds).returncode == 0
        wait_until(up, seconds, "the agent answering on its control socket")

    def abandon(self):
        """For the way out of a failed test: whatever its state, it is gone afterwards."""
        if self._child is not None and self._child.running:
            self._child.kill()
            self._close_run(killed=True)

    def wait_for_end(self, seconds):
        """For a run that ends by itself: exit code."""
        code = self._child.wait(seconds)
        self._close_run(killed=False)
        return code

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        if kind is None:
            if self.running:
                self.stop()
        else:
            self.abandon()

    def _open_run(self, started, log_file, first_line):
        self.runs.append(Run(started=started, ended=float("inf"), killed=False,
                             ramp_series=self.ramp_series, ramp_interval=self.ramp_interval))
        self._logs.append((log_file, first_line))

    def _close_run(self, killed):
        self.runs[-1].ended = self._child.ended
        self.runs[-1].killed = killed
        self._read_log_of(len(self.runs))

    def _read_log_of(self, number):
        run = self.runs[number - 1]
        lines = self.log_lines(number)
        run.durable = self.durable_segments(number)
        run.backlogs = backlogs_said(lines)
        run.late = late_at_the_end(lines)
        run.latest_said = max(delays_said(lines), default=0.0)
        run.said_unwritable = any("outbox cannot be written" in line for line in lines)

    # What it says

    def log_lines(self, number=None):
        number = number or len(self.runs)
        path, begins = self._logs[number - 1]
        ends = None  # or where the next run begins in the same file
        if number < len(self._logs) and self._logs[number][0] == path:
            ends = self._logs[number][1]
        return complete_lines(path)[begins:ends]

    def all_log_text(self):
        return "\n".join(line for number in range(1, len(self.runs) + 1)
                         for line in self.log_lines(number))

    def last_words(self, count=15):
        return "\n".join(line for line in self.log_lines() if "segment durable" not in line)[-3000:]

    def log_line_with(self, *parts, number=None):
        """The first line of the run that has all of `parts`, or None."""
        for line in self.log_lines(number):
            if all(part in line for part in parts):
                return line
        return None

    def wait_for_log(self, *parts, seconds=30):
        try:
            return wait_until(lambda: self.log_line_with(*parts), seconds,
                              f"a log line with {' and '.join(parts)}")
        except TimeoutError as error:
            raise TimeoutError(f"{error}; the log says:\n{self.last_words()}") from None

    def durable_segments(self, number=None):
        segments = []
        for line in self.log_lines(number):
            if "segment durable" in line:
                fields = fields_of(line)
                segments.append(DurableSegment(fields["epoch"], int(fields["seq"]), fields["lane"],
                                               int(fields["readings"]), boot_seconds_of(line)))
        return segments

    def all_durable(self):
        """Of all runs; those that have ended were read when they did."""
        ended = [segment for run in self.runs for segment in run.durable]
        return ended + (self.durable_segments() if self.runs and not self.runs[-1].durable else [])

    def status(self, seconds=30):
        """The answer of `fieldpost status --format json`, once the agent is up."""
        self.wait_until_up()
        answer = self._ask_status(seconds)
        if answer.returncode != 0:
            raise RuntimeError(f"fieldpost status ended with {answer.returncode}: {answer.stderr}")
        return json.loads(answer.stdout)

    def _ask_status(self, seconds):
        return self.command("status", "--socket", self.socket, "--format", "json", seconds=seconds)

    def command(self, *arguments, seconds=20):
        return run_binary(self.binary, *arguments, seconds=seconds)


def backlogs_said(lines):
    found = []
    for line in lines:
        if "backlog behind the newest" in line:
            fields = fields_of(line)
            found.append(Backlog(fields["epoch"], int(fields["seq"]), fields["lane"]))
    return found


def delays_said(lines):
    """Seconds that readings had waited for the disk whenever the log said that they were late."""
    return [int(fields_of(line)["age_ms"]) / 1000 for line in lines if "readings late on the disk" in line]


def late_at_the_end(lines):
    """Seconds that readings had waited for the disk when the log last said so; 0 if that was over."""
    late = 0.0
    for line in lines:
        if "readings late on the disk" in line:
            late = delays_said([line])[0]
        elif "readings in time on the disk again" in line:
            late = 0.0
    return late


def run_binary(binary, *arguments, seconds=20):
    return subprocess.run([str(binary), *map(str, arguments)], capture_output=True, text=True,
                          timeout=seconds, env={**os.environ, **SANITIZER_OPTIONS}, check=False)


_default_sources = {}


def default_source_names(binary):
    """Names of the sources that run here without being configured, as the binary itself tells."""
    if binary not in _default_sources:
        answer = run_binary(binary, "sources", "--format", "json", seconds=60)
        if answer.returncode != 0:
            raise RuntimeError(f"fieldpost sources ended with {answer.returncode}: {answer.stderr}")
        _default_sources[binary] = [source["name"] for source in json.loads(answer.stdout)["sources"]
                                    if source["on_by_default"]]
    return _default_sources[binary]
