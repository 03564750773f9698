# SPDX-License-Identifier: Apache-2.0
"""A host application of Sparkplug B 3.0.0, written from the specification: it takes what one edge node publishes, in the
order of arrival, and notes everything that the specification forbids. What the node says is given back as documents of
packaging/schema/, so that the judge of all formats reads it too. Decoded with protoc's code, not with ours."""

import importlib.util
import json
import subprocess
import tempfile
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from tests.tools.child import boot_seconds
from tests.tools.consumer import Arrival, Consumer
from tests.tools.flat_records import Flat, document

PROTO = Path(__file__).with_name("sparkplug_b.proto")
INT64, DOUBLE, BOOLEAN, STRING = 4, 10, 11, 12
VALUE_FIELDS = {INT64: "long_value", DOUBLE: "double_value", BOOLEAN: "boolean_value", STRING: "string_value"}
REBIRTH = "Node Control/Rebirth"


@lru_cache(maxsize=1)
def protobuf():
    """protoc's module."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["protoc", f"--proto_path={PROTO.parent}", f"--python_out={folder}", PROTO.name], check=True)
        path = Path(folder) / "sparkplug_b_pb2.py"
        specification = importlib.util.spec_from_file_location("sparkplug_b_pb2", path)
        module = importlib.util.module_from_spec(specification)
        specification.loader.exec_module(module)
        return module


def rebirth_command():
    """The payload of an NCMD that asks for a birth."""
    payload = protobuf().Payload(timestamp=1)
    payload.metrics.add(name=REBIRTH, timestamp=1, datatype=BOOLEAN, boolean_value=True)
    return payload.SerializeToString()


@dataclass
class Session:
    """From one NBIRTH of a connection to its NDEATH."""
    bd_seq: int
    births: int = 0
    metrics: dict = field(default_factory=dict)  # alias -> (name, datatype)
    values: dict = field(default_factory=dict)   # name -> value, as a dashboard would show it


class SparkplugHost:
    """`group` and `node` name the one node that it listens to."""

    def __init__(self, group, node):
        self.group, self.node = group, node
        self.violations = []
        self.sessions = []
        self.deaths = []      # bdSeq of every NDEATH
        self.documents = []   # of every NDATA
        self.historical = 0
        self.current = 0      # metrics in NDATA that are not historical
        self._alive = False
        self._next_seq = None

    @property
    def session(self):
        return self.sessions[-1] if self.sessions else None

    @property
    def alive(self):
        return self._alive

    def violation(self, text):
        self.violations.append(text)

    def connection_lost(self):
        """Our own: the death of a node that went meanwhile may never come."""
        self._alive = False

    def take(self, topic, payload):
        """One message, in the order in which the broker gave it."""
        namespace, group, kind, node, *device = topic.split("/")
        if (namespace, group, node) != ("spBv1.0", self.group, self.node) or device:
            self.violation(f"{topic} is no topic of this node")
            return
        try:
            decoded = protobuf().Payload.FromString(payload)
        except Exception as error:  # protobuf's own
            self.violation(f"{kind} cannot be decoded: {error}")
            return
        if not decoded.HasField("timestamp"):
            self.violation(f"{kind} has no timestamp")
        take = {"NBIRTH": self._birth, "NDATA": self._data, "NDEATH": self._death}.get(kind)
        if take is None:
            self.violation(f"{kind} is nothing that a node without devices sends")
            return
        try:
            take(decoded)
        except (KeyError, ValueError, TypeError) as error:
            self.violation(f"{kind} makes no sense: {type(error).__name__} {error}")

    def _birth(self, payload):
        bd_seq = None
        session = Session(0)
        has_rebirth = False
        if not payload.HasField("seq") or payload.seq != 0:
            self.violation("NBIRTH has not seq 0")
        for metric in payload.metrics:
            if not metric.name or not metric.HasField("timestamp") or not metric.HasField("datatype"):
                self.violation(f"NBIRTH: {metric.name or 'a metric'} lacks a name, timestamp or datatype")
                continue
            value = self._value(metric, metric.datatype, "NBIRTH")
            if metric.name == "bdSeq":
                bd_seq = value
                if metric.HasField("alias"):
                    self.violation("bdSeq has an alias")
            elif metric.name == REBIRTH:
                has_rebirth = value is False and metric.datatype == BOOLEAN and not metric.HasField("alias")
            elif not metric.HasField("alias"):
                self.violation(f"NBIRTH: {metric.name} has no alias")
            elif metric.alias in session.metrics or metric.name in session.values:
                self.violation(f"NBIRTH: {metric.name}, alias {metric.alias}, is not unique")
            else:
                session.metrics[metric.alias] = (metric.name, metric.datatype)
                session.values[metric.name] = value
        if not has_rebirth:
            self.violation(f"NBIRTH has not {REBIRTH} = false without an alias")
        if bd_seq is None or not 0 <= bd_seq <= 255:
            self.violation(f"NBIRTH has bdSeq {bd_seq}")
        session.bd_seq = bd_seq
        session.births = 1
        self._follow(session)
        self._alive = True
        self._next_seq = 1

    def _follow(self, session):
        """A birth is a rebirth, with the bdSeq of before; or of a new connection, with the next one."""
        before = self.session
        if before is not None and self._alive and before.bd_seq == session.bd_seq:
            session.births = before.births + 1
            missing = set(before.values) - set(session.values)
            if missing:
                self.violation(f"a rebirth without {sorted(missing)[:3]}")
            self.sessions[-1] = session
            return
        if before is not None:
            if self._alive:
                self.violation(f"bdSeq {before.bd_seq} was followed by {session.bd_seq} without NDEATH")
            # A connection that came to no birth (a broker that hangs up, a primary host that is away) takes a number, too.
            if session.bd_seq == before.bd_seq:
                self.violation(f"bdSeq {session.bd_seq} was used twice")
        self.sessions.append(session)

    def _death(self, payload):
        if payload.HasField("seq") or [metric.name for metric in payload.metrics] != ["bdSeq"]:
            self.violation("NDEATH bears bdSeq alone, and no seq")
            return
        bd_seq = self._value(payload.metrics[0], INT64, "NDEATH")
        self.deaths.append(bd_seq)
        if self._alive and bd_seq == self.session.bd_seq:
            self._alive = False
        elif self._alive:
            self.violation(f"NDEATH of {bd_seq}, but {self.session.bd_seq} lives")

    def _data(self, payload):
        if not self._alive:
            self.violation("NDATA without NBIRTH")
            return
        if not payload.HasField("seq") or payload.seq != self._next_seq:
            self.violation(f"NDATA has seq {payload.seq}, {self._next_seq} was due")
        self._next_seq = (payload.seq + 1) % 256
        metrics = []
        for metric in payload.metrics:
            if metric.HasField("name") or not metric.HasField("alias") or not metric.HasField("timestamp"):
                self.violation("NDATA: a metric has alias, timestamp and value, and no name")
                continue
            if metric.alias not in self.session.metrics:
                self.violation(f"NDATA: alias {metric.alias} was not born")
                continue
            name, datatype = self.session.metrics[metric.alias]
            if metric.HasField("datatype") and metric.datatype != datatype:
                self.violation(f"NDATA: {name} was born with datatype {datatype}, not {metric.datatype}")
            value = self._value(metric, datatype, f"NDATA: {name}")
            if metric.is_historical:
                self.historical += 1
            else:
                self.current += 1
                self.session.values[name] = value
            metrics.append((name, value, metric.timestamp))
        self.documents.append(self._document(metrics))

    def _document(self, metrics):
        """All that a message tells of itself bears the time of its first reading."""
        own = {name: time for name, _, time in metrics if name.startswith("fieldpost/")}
        start = own["fieldpost/seq"]
        values = {name: value for name, value, _ in metrics}
        return document(self.node, [Flat(name, value, time - start) for name, value, time in metrics], start,
                        "fieldpost/time_error" in values)

    def _value(self, metric, datatype, where):
        unknown = getattr(metric, "UnknownFields", None)
        if unknown is not None and len(unknown()):
            self.violation(f"{where} has fields that nobody knows")
        which = metric.WhichOneof("value")
        if metric.is_null:
            if which is not None:
                self.violation(f"{where} is null, and has a value")
            return None
        if VALUE_FIELDS.get(datatype) != which:
            self.violation(f"{where}: datatype {datatype} is not in {which}")
            return None
        value = getattr(metric, which)
        return value - 2 ** 64 if datatype == INT64 and value >= 2 ** 63 else value


class SparkplugConsumer(Consumer):
    """The host at a broker. What arrives is given on as the JSON messages that say the same, for the judge of all formats."""

    def __init__(self, broker, certificate, group, node):
        super().__init__(broker, certificate, topics=(f"spBv1.0/{group}/+/{node}",))
        self.host = SparkplugHost(group, node)
        self.kinds = []  # of every message, in order
        self._client.on_disconnect = self._disconnected

    def ask_for_rebirth(self):
        self._client.publish(f"spBv1.0/{self.host.group}/NCMD/{self.host.node}", rebirth_command(), qos=1)

    def say_state(self, host, online, timestamp):
        self._client.publish(f"spBv1.0/STATE/{host}", json.dumps({"online": online, "timestamp": timestamp}), qos=1, retain=True)

    def _disconnected(self, *_):
        self._subscribed.clear()
        self.host.connection_lost()

    def _received(self, _client, _userdata, message):
        kind = message.topic.split("/")[2]
        if kind == "NCMD":
            return
        with self._lock:
            self.kinds.append(kind)
            before = len(self.host.documents)
            self.host.take(message.topic, message.payload)
            for one in self.host.documents[before:]:
                self.arrivals.append(Arrival(boot_seconds(), f"fieldpost/{one['device']}/{one['lane']}", json.dumps(one).encode()))
