# SPDX-License-Identifier: Apache-2.0
"""What a mosquitto bridge needs to drain a backlog over mutual TLS at QoS 1: the usual way of getting
readings from a gateway to a cloud, one message a reading."""

import os
import pwd
import shutil
import threading

import paho.mqtt.client as mqtt

from tests.tools.broker import Broker
from tests.tools.child import Child, wait_until
from tests.tools.ports import free_port
from tests.tools.process_figures import cpu_seconds

MESSAGES = 50_000
PAYLOAD = b'{"name":"node_network_receive_bytes_total","device":"eth0","t":1795190553123,"v":123456789}'


def drain_by_bridge(scratch, authority):
    """Messages a second of one core of the bridging mosquitto, or None and why not."""
    program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    subscriber = shutil.which("mosquitto_sub")
    if subscriber is None:
        return None, "mosquitto-clients is not installed"
    far = Broker(scratch.folder("bridge-far"), authority)
    folder = scratch.folder("bridge-near")
    certificate = authority.client("bridge")
    port = free_port()
    (folder / "mosquitto.conf").write_text(f"""\
user {pwd.getpwuid(os.getuid()).pw_name}
listener {port} 127.0.0.1
allow_anonymous true
max_queued_messages 0
max_inflight_messages 0
connection far
address {far.host}:{far.port}
topic readings/# out 1
bridge_cafile {authority.file}
bridge_certfile {certificate.certificate_file}
bridge_keyfile {certificate.key_file}
bridge_protocol_version mqttv311
cleansession false
restart_timeout 1
""")
    near = Child([program, "-c", folder / "mosquitto.conf"], error_file=folder / "mosquitto.err")
    try:
        publish(port)
        with far:
            counter = authority.client("bridge-counter")
            heard = Child([subscriber, "-h", far.host, "-p", far.port, "--cafile", authority.file, "--cert",
                           counter.certificate_file, "--key", counter.key_file, "-q", "1", "-t", "readings/#",
                           "-i", "bridge-counter", "-c", "-C", MESSAGES], error_file=folder / "sub.err")
            try:
                began = cpu_seconds(near.pid)
                wait_until(lambda: not heard.running, 120, f"{MESSAGES} messages over the bridge")
                used = cpu_seconds(near.pid) - began
            finally:
                if heard.running:
                    heard.kill()
        return MESSAGES / used, f"{MESSAGES:,} messages of {len(PAYLOAD)} bytes, {used:.2f} s of CPU"
    except TimeoutError as error:
        return None, str(error)
    finally:
        near.stop()


def publish(port):
    """The backlog, which the near broker keeps as long as the far one is away."""
    client = mqtt.Client(client_id="filler", protocol=mqtt.MQTTv311)
    client.max_inflight_messages_set(1000)
    connected = threading.Event()
    client.on_connect = lambda *_: connected.set()
    wait_until(lambda: try_to_connect(client, port), 10, "the near broker")
    client.loop_start()
    if not connected.wait(10):
        raise TimeoutError("the near broker does not answer")
    last = None
    for number in range(MESSAGES):
        last = client.publish(f"readings/{number % 100}", PAYLOAD, qos=1)
    last.wait_for_publish(60)
    client.disconnect()
    client.loop_stop()


def try_to_connect(client, port):
    try:
        return client.connect("127.0.0.1", port) == mqtt.MQTT_ERR_SUCCESS
    except OSError:
        return False
