# SPDX-License-Identifier: Apache-2.0
"""The readers of SenML and Sparkplug B can fail: each fault that they must see is put before them."""

import json
import shutil

import pytest

from tests.tools import senml

pytest.importorskip("cbor2")
import cbor2  # noqa: E402

GOOD = [{"bn": "gw/a", "bt": 1767225600.5, "bu": "V", "v": 1}, {"t": 1, "v": 2.5}, {"n": "/quality", "vs": "good"}, {"n": "/on", "vb": True}]


def test_a_good_pack_is_resolved_in_either_form():
    want = [("gw/a", 1, "V", 1767225600.5), ("gw/a", 2.5, "V", 1767225601.5), ("gw/a/quality", "good", None, 1767225600.5),
            ("gw/a/on", True, None, 1767225600.5)]
    labels = {name: number for number, name in senml.CBOR_LABELS.items()}
    for payload in (json.dumps(GOOD).encode(), cbor2.dumps([{labels[key]: value for key, value in record.items()} for record in GOOD])):
        assert [(one.name, one.value, one.unit, one.time) for one in senml.read(payload)] == want


@pytest.mark.parametrize("pack", [
    b"{}", b"[]", b"[1]", b"[", b'[{"bn":"gw/a","v":NaN}]', b'[{"bn":"gw/a","v":1,"v":2}]',
    b'[{"bn":"gw/a"},{"n":"b"}]', b'[{"bn":"gw/a","v":1,"vs":"x"}]', b'[{"bn":"_gw","v":1}]', b'[{"bn":"gw a","v":1}]', b'[{"v":1}]',
    b'[{"bn":"gw/a","u":"bytes","v":1}]', b'[{"bn":"gw/a","v":"1"}]', b'[{"bn":"gw/a","vb":1}]', b'[{"bn":"gw/a","t":"1","v":1}]',
    b'[{"bn":"gw/a","bver":11,"v":1}]', b'[{"bn":"gw/a","x_":1,"v":1}]',
])
def test_json_that_is_no_pack_is_refused(pack):
    with pytest.raises(senml.Unreadable):
        senml.read(pack)


@pytest.mark.parametrize("pack", [
    cbor2.dumps([{-2: "gw/a", 2: 1}]) + b"\0", cbor2.dumps([{-2: "gw/a", 2: 1}])[:-1], cbor2.dumps([{-2: "gw/a", 2: float("nan")}]),
    cbor2.dumps([{-2: "gw/a", "v": 1}]), cbor2.dumps([{-2: "gw/a", 9: 1, 2: 1}]), b"\x9f\xa2\x21\x64gw/a\x02\x01\xff", b"\x98\x01\xa2\x21\x64gw/a\x02\x01",
    cbor2.dumps([{-2: b"gw/a", 2: 1}]),
])
def test_cbor_that_is_no_pack_is_refused(pack):
    with pytest.raises(senml.Unreadable):
        senml.read(pack)


needs_protoc = pytest.mark.skipif(shutil.which("protoc") is None, reason="no protoc here (protobuf-compiler)")
BIRTH, DATA, DEATH = "NBIRTH", "NDATA", "NDEATH"


def birth(bd_seq=0, seq=0, *, names=("fieldpost/seq", "a"), **changes):
    metrics = [{"name": "bdSeq", "datatype": 4, "long_value": bd_seq},
               {"name": "Node Control/Rebirth", "datatype": 11, "boolean_value": changes.get("rebirth", False)}]
    for alias, name in enumerate(names):
        metrics.append({"name": name, "alias": changes.get("alias", alias), "datatype": changes.get("datatype", 4), "is_null": True})
    return message(metrics, seq)


def death(bd_seq=0, **more):
    return message([{"name": "bdSeq", "datatype": 4, "long_value": bd_seq}], **more)


def data(seq, alias=1, **changes):
    own = [{"alias": alias, "long_value": 5, **changes}]
    return message(own, seq)


def message(metrics, seq=None):
    from tests.doubles.sparkplug_host import protobuf
    payload = protobuf().Payload(timestamp=1767225600000)
    if seq is not None:
        payload.seq = seq
    for metric in metrics:
        payload.metrics.add(timestamp=1767225600000, **metric)
    return payload.SerializeToString()


def judged(*messages):
    from tests.doubles.sparkplug_host import SparkplugHost
    host = SparkplugHost("plant", "gw")
    host._document = lambda metrics: metrics  # what the metrics say is not the matter here
    for kind, payload in messages:
        host.take(f"spBv1.0/plant/{kind}/gw", payload)
    return host.violations


@needs_protoc
def test_a_good_life_has_no_violation():
    assert not judged((BIRTH, birth(3)), (DATA, data(1)), (DATA, data(2)), (BIRTH, birth(3)), (DATA, data(1)), (DEATH, death(3)),
                      (BIRTH, birth(4)), (DATA, data(1)), (DEATH, death(4)))
    assert not judged((BIRTH, birth(3)), *[(DATA, data(seq % 256)) for seq in range(1, 600)])


@needs_protoc
@pytest.mark.parametrize("messages, says", [
    (lambda: [(DATA, data(1))], "without NBIRTH"),
    (lambda: [(BIRTH, birth()), (DATA, data(2))], "1 was due"),
    (lambda: [(BIRTH, birth()), (DATA, data(1)), (DATA, data(1))], "2 was due"),
    (lambda: [(BIRTH, birth(seq=1))], "seq 0"),
    (lambda: [(BIRTH, birth(rebirth=True))], "Rebirth"),
    (lambda: [(BIRTH, birth(alias=1))], "not unique"),
    (lambda: [(BIRTH, birth()), (DATA, data(1, alias=7))], "was not born"),
    (lambda: [(BIRTH, birth()), (DATA, data(1, name="a"))], "and no name"),
    (lambda: [(BIRTH, birth(datatype=10)), (DATA, data(1))], "datatype 10 is not in long_value"),
    (lambda: [(BIRTH, birth()), (DATA, data(1, datatype=8))], "was born with datatype 4"),
    (lambda: [(BIRTH, birth()), (DATA, data(1, is_null=True))], "is null, and has a value"),
    (lambda: [(BIRTH, birth(0)), (BIRTH, birth(1))], "without NDEATH"),
    (lambda: [(BIRTH, birth(0)), (DEATH, death(0)), (BIRTH, birth(0))], "used twice"),
    (lambda: [(BIRTH, birth(0)), (DEATH, death(1))], "but 0 lives"),
    (lambda: [(BIRTH, birth(0)), (DEATH, death(0, seq=1))], "no seq"),
    (lambda: [(BIRTH, birth(0)), (BIRTH, birth(0, names=("fieldpost/seq",)))], "a rebirth without"),
    (lambda: [(BIRTH, birth(0)), (DEATH, death(0)), (DATA, data(1))], "without NBIRTH"),
    (lambda: [("DBIRTH", birth(0))], "without devices"),
    (lambda: [(BIRTH, b"\xff\xff")], "cannot be decoded"),
])
def test_each_fault_of_a_node_is_seen(messages, says):
    violations = judged(*messages())
    assert any(says in violation for violation in violations), violations
