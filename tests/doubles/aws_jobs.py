# SPDX-License-Identifier: Apache-2.0
"""AWS IoT Jobs as one device sees it, over MQTT: list, notices, get, update, timers, limits and error codes.

After the developer guide ("Jobs device MQTT API operations") and the service model, as reference/protocols.md sections 1.3 and 1.7 have
them. Strict where the service is, and stricter in two things, which go to `violations`: expectedVersion and executionNumber are always
there. `base` is "$aws/things/THING/jobs" or, as behind a plain broker, "PREFIX/DEVICE/jobs".

Faults: `throttle` answers RequestThrottled that often first; `deaf` loses so many requests, `silent` so many answers; `late` holds each
answer back so many seconds; `twice` gives each answer two times; `stale` sends an old notice before each. `on_request(number, topic,
request)` runs before a request is obeyed, `on_answer` before its answer goes out: there a test kills and cuts.
`minute` is how long a minute of the timers lasts, in seconds."""

import json
import re
import threading
import time
import unicodedata
from dataclasses import dataclass, field

import paho.mqtt.client as mqtt

from tests.tools.child import wait_until
from tests.tools.consumer import mutual_tls

FINAL = {"SUCCEEDED", "FAILED", "REJECTED", "TIMED_OUT", "CANCELED", "REMOVED"}
BY_DEVICE = {"IN_PROGRESS", "SUCCEEDED", "FAILED", "REJECTED"}
UPDATE_KEYS = {"status", "statusDetails", "expectedVersion", "executionNumber", "includeJobExecutionState", "includeJobDocument",
               "stepTimeoutInMinutes", "clientToken"}
GET_KEYS = {"executionNumber", "includeJobDocument", "clientToken"}
JOB_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
DETAIL_KEY = re.compile(r"[a-zA-Z0-9:_-]{1,128}")
PAYLOAD_MAX = 128 * 1024
DOCUMENT_MAX = 32 * 1024


class Refused(Exception):
    def __init__(self, code, words, execution=None):
        super().__init__(words)
        self.answer = {"code": code, "message": words}
        if execution is not None and code in ("VersionMismatch", "InvalidStateTransition"):
            self.answer["executionState"] = execution.state()


@dataclass
class Execution:
    job: str
    document: dict
    number: int = 1
    version: int = 1
    status: str = "QUEUED"
    details: dict = field(default_factory=dict)
    queued: float = field(default_factory=time.time)
    updated: float = field(default_factory=time.time)
    started: float | None = None
    step_ends: float | None = None
    history: list = field(default_factory=list)  # of (status, details), as they were accepted

    def state(self):
        return {"status": self.status, "statusDetails": self.details, "versionNumber": self.version}

    def told(self):
        known = {"jobId": self.job, "status": self.status, "queuedAt": int(self.queued), "lastUpdatedAt": int(self.updated),
                 "versionNumber": self.version, "executionNumber": self.number, "jobDocument": self.document}
        if self.started is not None:
            known["startedAt"] = int(self.started)
        return known

    def move(self, status):
        self.status = status
        self.updated = time.time()
        self.version += 1
        if status == "IN_PROGRESS" and self.started is None:
            self.started = self.updated
        if status in FINAL:
            self.step_ends = None


class AwsJobs:
    def __init__(self, broker, authority, base, *, throttle=0, deaf=0, silent=0, late=0.0, twice=False, stale=False, minute=60.0,
                 detail_max=1024):
        self.base = base
        self.throttle, self.deaf, self.silent, self.late, self.twice, self.stale = throttle, deaf, silent, late, twice, stale
        self.minute, self.detail_max = minute, detail_max
        self.on_request = self.on_answer = lambda number, topic, request: None
        self.executions = []  # in order of queueing; of one job the last one counts
        self.requests = []    # (topic below base, request)
        self.refusals = []
        self.violations = []
        self._head = None
        self._lock = threading.RLock()
        self._ready = threading.Event()
        self._over = threading.Event()
        self._client = mqtt.Client(client_id="jobs-double", protocol=mqtt.MQTTv311)
        self._client.tls_set_context(mutual_tls(broker, authority.client("jobs-double")))
        self._client.reconnect_delay_set(min_delay=1, max_delay=1)
        self._client.on_connect = lambda client, *_: client.subscribe([(f"{base}/+/get", 1), (f"{base}/+/update", 1)])
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = self._received
        self._broker = broker
        self._timer = threading.Thread(target=self._watch_timers, daemon=True)

    def __enter__(self):
        self._client.connect(self._broker.host, self._broker.port)
        self._client.loop_start()
        assert self._ready.wait(15), "the double could not subscribe"
        self._timer.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._timer.join()
        self._client.disconnect()
        self._client.loop_stop()

    # What the operator does

    def create(self, job, document, number=1):
        assert JOB_ID.fullmatch(job) and len(json.dumps(document)) <= DOCUMENT_MAX
        with self._lock:
            execution = Execution(job, document, number)
            self.executions.append(execution)
            self._tell_head()
        return execution

    def between_messages(self):
        """Nothing is heard while this is held."""
        return self._lock

    def cancel(self, job, status="CANCELED"):
        with self._lock:
            self.find(job).move(status)
            self._tell_head()

    def hand_out_again(self, job):
        """As after a restore of the service from a backup: the same execution, as if it had never been reported."""
        with self._lock:
            execution = self.find(job)
            execution.move("QUEUED")
            execution.started = None
            self._tell_head(always=True)

    def remove(self, job):
        with self._lock:
            self.executions = [each for each in self.executions if each.job != job]
            self._tell_head()

    def find(self, job):
        return next(each for each in reversed(self.executions) if each.job == job)

    def wait(self, job, *states, seconds=90):
        def there():
            with self._lock:
                return self.find(job).status in states and self.find(job)
        try:
            return wait_until(there, seconds, f"{job} in {states}")
        except TimeoutError as error:
            raise TimeoutError(f"{error}; it is {self.find(job)}; requests {self.requests[-6:]}; refusals {self.refusals[-3:]}") from None

    # The service

    def head(self):
        """In progress first, then by time of queueing."""
        open_ones = [each for each in self.executions if each.status not in FINAL]
        return next((each for each in open_ones if each.status == "IN_PROGRESS"), open_ones[0] if open_ones else None)

    def _tell_head(self, always=False):
        head = self.head()
        if head is self._head and not always:
            return
        self._head = head
        self._publish("notify-next", {"timestamp": int(time.time()), **({"execution": head.told()} if head else {})})

    def _publish(self, below, document):
        self._client.publish(f"{self.base}/{below}", json.dumps(document), qos=1)

    def _received(self, _client, _, message):
        below = message.topic[len(self.base) + 1:]
        with self._lock:
            if self.deaf > 0:
                self.deaf -= 1
                return
            request, token = None, None
            try:
                if len(message.payload) > PAYLOAD_MAX:
                    raise Refused("InvalidRequest", "too long")
                request = json.loads(message.payload)
                number = len(self.requests)
                self.requests.append((below, request))
                self.on_request(number, below, request)
                token = request.get("clientToken")
                if token is not None and not (isinstance(token, str) and 1 <= len(token) <= 64):
                    raise Refused("InvalidRequest", "clientToken")
                if self.throttle > 0:
                    self.throttle -= 1
                    raise Refused("RequestThrottled", "too many requests")
                job, verb = below.split("/")
                answer = self._get(job, request) if verb == "get" else self._update(job, request)
                outcome = "accepted"
            except json.JSONDecodeError as error:
                answer, outcome = {"code": "InvalidJson", "message": str(error)}, "rejected"
            except Refused as error:
                answer, outcome = error.answer, "rejected"
                self.refusals.append({"topic": below, **answer})
            answer["timestamp"] = int(time.time())
            if token is not None:
                answer["clientToken"] = token
            if request is not None:
                self.on_answer(len(self.requests) - 1, below, request)
            if self.silent > 0:
                self.silent -= 1
            else:
                self._answer(f"{below}/{outcome}", answer)
            self._tell_head()

    def _answer(self, below, answer):
        if self.stale:
            self._publish("notify-next", {"timestamp": 1, "execution": {
                "jobId": "long-gone", "status": "QUEUED", "queuedAt": 1, "lastUpdatedAt": 1, "versionNumber": 1, "executionNumber": 1,
                "jobDocument": {"operation": "count.sh"}}})
        for _ in range(2 if self.twice else 1):
            if self.late:
                threading.Timer(self.late, self._publish, (below, answer)).start()
            else:
                self._publish(below, answer)

    def _get(self, job, request):
        if not set(request) <= GET_KEYS:
            raise Refused("InvalidRequest", f"unexpected keys {sorted(request)}")
        if job == "$next":
            head = self.head()
            return {"execution": head.told()} if head else {}
        execution = self._execution(job, request)
        if execution.status in FINAL:
            raise Refused("TerminalStateReached", f"{job} is {execution.status}")
        return {"execution": execution.told()}

    def _execution(self, job, request):
        if not JOB_ID.fullmatch(job):
            raise Refused("InvalidTopic", job)
        number = request.get("executionNumber")
        found = [each for each in self.executions if each.job == job and number in (None, each.number)]
        if not found:
            raise Refused("ResourceNotFound", f"{job}, execution {number}")
        return found[-1]

    def _update(self, job, request):
        if not set(request) <= UPDATE_KEYS:
            raise Refused("InvalidRequest", f"unexpected keys {sorted(request)}")
        for key in ("expectedVersion", "executionNumber", "clientToken"):
            if key not in request:
                self.violations.append(f"update of {job} without {key}")
        status = request.get("status")
        if status not in BY_DEVICE:
            raise Refused("InvalidRequest", f"status {status}")
        details = self._checked(request.get("statusDetails"))
        minutes = request.get("stepTimeoutInMinutes")
        if minutes is not None and not (isinstance(minutes, int) and (minutes == -1 or 1 <= minutes <= 10080)):
            raise Refused("InvalidRequest", f"stepTimeoutInMinutes {minutes}")
        execution = self._execution(job, request)
        if execution.status in FINAL:
            raise Refused("InvalidStateTransition", f"{execution.status} to {status}", execution)
        expected = request.get("expectedVersion")
        if expected is not None and int(expected) != execution.version:
            raise Refused("VersionMismatch", f"expected {expected}, is {execution.version}", execution)
        execution.move(status)
        if details is not None:
            execution.details = details
        if minutes is not None and status not in FINAL:
            execution.step_ends = None if minutes == -1 else time.monotonic() + minutes * self.minute
        execution.history.append((status, details))
        return {"executionState": execution.state()} if request.get("includeJobExecutionState") else {}

    def _checked(self, details):
        if details is None:
            return None
        fine = isinstance(details, dict) and len(details) <= 10 and all(
            DETAIL_KEY.fullmatch(key) and isinstance(value, str) and 1 <= len(value) <= self.detail_max
            and not any(unicodedata.category(character).startswith("C") for character in value)
            for key, value in details.items())
        if not fine:
            raise Refused("InvalidRequest", "statusDetails")
        return details

    def _watch_timers(self):
        while not self._over.wait(0.1):
            with self._lock:
                for execution in self.executions:
                    if execution.step_ends is not None and time.monotonic() > execution.step_ends:
                        execution.move("TIMED_OUT")
                        self._tell_head()
