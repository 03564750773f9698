# SPDX-License-Identifier: Apache-2.0
"""A child process that cannot outlive us, ended by its own id and never by its name."""

import shutil
import signal
import subprocess
import time


class Child:
    """One started process. Its standard output and error go to files, so that nothing is lost when
    it is killed in the middle of a line and nobody has to drain a pipe."""

    def __init__(self, command, *, error_file, output_file=None, namespace=None, environment=None,
                 directory=None):
        # The kernel ends the child when we die, however we die; a new session keeps the terminal's
        # Ctrl-C for us, who end the children in order. The id is the program's own: both
        # wrappers exec.
        wrapped = [shutil.which("setpriv") or "/usr/bin/setpriv", "--pdeathsig", "KILL", "--"]
        if namespace:
            wrapped += ["ip", "netns", "exec", namespace]
            # ip netns exec keeps the parent-death signal: it is lost only at a change of user.
        self._error = open(error_file, "ab")
        self._output = open(output_file, "ab") if output_file else subprocess.DEVNULL
        self.started = boot_seconds()
        self.ended = None
        self._process = subprocess.Popen(
            wrapped + [str(part) for part in command], stdin=subprocess.DEVNULL,
            stdout=self._output, stderr=self._error, start_new_session=True,
            env=environment, cwd=directory)

    @property
    def pid(self):
        return self._process.pid

    @property
    def exit_code(self):
        """None while it runs; negative: ended by that signal."""
        code = self._process.poll()
        if code is not None and self.ended is None:
            self._note_end()
        return code

    @property
    def running(self):
        return self.exit_code is None

    def kill(self):
        """SIGKILL, then reap."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        self._note_end()

    def signal(self, number):
        self._process.send_signal(number)

    def stop(self, seconds=10.0):
        """SIGTERM; SIGKILL after `seconds`. Returns the exit code, or None if it had to be killed."""
        if self._process.poll() is None:
            self._process.terminate()
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            return None
        self._note_end()
        return code

    def wait(self, seconds):
        """The exit code; raises TimeoutError if it still runs after `seconds`."""
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"{self._process.args[4]} still runs after {seconds} s") from None
        self._note_end()
        return code

    def _note_end(self):
        if self.ended is None:
            self.ended = boot_seconds()
            self._error.close()
            if self._output is not subprocess.DEVNULL:
                self._output.close()


def boot_seconds():
    """The clock of the agent's samples, in seconds."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def wait_until(condition, seconds, what, every=0.05):
    """Polls `condition` and returns its first true value; raises TimeoutError naming `what`."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= end:
            raise TimeoutError(f"not within {seconds:g} s: {what}")
        time.sleep(every)
