# SPDX-License-Identifier: Apache-2.0
"""Others doing the same job on this machine at the same time, where they are installed: collectd with
its mqtt plugin over mutual TLS, and node_exporter scraped once a second."""

import os
import shutil
import threading
import time
import urllib.error
import urllib.request

from tests.tools.child import Child, wait_until
from tests.tools.consumer import Consumer
from tests.tools.ports import free_port
from tests.tools.process_figures import cpu_seconds, memory_kib

COLLECTD_PLUGINS = "cpu memory interface disk df load irq protocols".split()


class Collectd:
    name = "collectd + mqtt plugin, QoS 1, mutual TLS"
    package = "collectd-core"

    def __init__(self, folder, broker, certificate, consumer_certificate):
        self._folder = folder
        self._broker = broker
        self._certificate = certificate
        self._values = 0
        self._consumer = Consumer(broker, consumer_certificate, topics=("collectd/#",),
                                  client_id="collectd-counter", on_arrival=self._count)

    @staticmethod
    def program():
        return shutil.which("collectd") or ("/usr/sbin/collectd"
                                            if os.access("/usr/sbin/collectd", os.X_OK) else None)

    def _count(self, arrival):
        # "epoch:value[:value...]", closed by a NUL
        self._values += arrival.payload.count(b":")

    def start(self):
        plugins = "\n".join(f"LoadPlugin {plugin}" for plugin in [*COLLECTD_PLUGINS, "mqtt"])
        configuration = self._folder / "collectd.conf"
        configuration.write_text(f"""\
Hostname "bench"
BaseDir "{self._folder}"
PIDFile "{self._folder}/collectd.pid"
PluginDir "{self._plugin_folder()}"
TypesDB "/usr/share/collectd/types.db"
Interval 1
{plugins}
<Plugin mqtt>
  <Publish "bench">
    Host "{self._broker.host}"
    Port {self._broker.port}
    ClientId "collectd"
    QoS 1
    StoreRates false
    CACert "{self._broker.ca.file}"
    CertificateFile "{self._certificate.certificate_file}"
    CertificateKeyFile "{self._certificate.key_file}"
  </Publish>
</Plugin>
""")
        self._consumer.start()
        self._child = Child([self.program(), "-f", "-C", configuration],
                            error_file=self._folder / "collectd.log",
                            output_file=self._folder / "collectd.out")
        wait_until(lambda: self._values > 0 or not self._child.running, 20, "collectd's first values")
        if not self._child.running:
            raise RuntimeError((self._folder / "collectd.log").read_text()[-500:])

    @staticmethod
    def _plugin_folder():
        for place in ("/usr/lib/collectd", f"/usr/lib/{os.uname().machine}-linux-gnu/collectd"):
            if os.path.exists(f"{place}/mqtt.so"):
                return place
        return "/usr/lib/collectd"

    def begin(self):
        self._began = (self._values, cpu_seconds(self._child.pid))

    def end(self):
        values = self._values - self._began[0]
        cpu = cpu_seconds(self._child.pid) - self._began[1]
        return values, cpu, memory_kib(self._child.pid)["Pss"]

    def stop(self):
        self._child.stop()
        self._consumer.stop()


class NodeExporter:
    name = "node_exporter, default collectors, scraped every second"
    package = "prometheus-node-exporter"

    def __init__(self, folder):
        self._folder = folder
        self._port = free_port()
        self._samples = 0
        self._ended = threading.Event()

    @staticmethod
    def program():
        return shutil.which("prometheus-node-exporter")

    def start(self):
        self._child = Child([self.program(), f"--web.listen-address=127.0.0.1:{self._port}"],
                            error_file=self._folder / "node_exporter.log")
        wait_until(self._scrape, 15, "node_exporter's first scrape")
        self._thread = threading.Thread(target=self._scrape_every_second, daemon=True)
        self._thread.start()

    def _scrape(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/metrics", timeout=5) as page:
                lines = page.read().splitlines()
        except (urllib.error.URLError, OSError):
            return 0
        count = sum(1 for line in lines if line and not line.startswith(b"#"))
        self._samples += count
        return count

    def _scrape_every_second(self):
        due = time.monotonic()
        while not self._ended.wait(max(0.0, due - time.monotonic())):
            due += 1
            self._scrape()

    def begin(self):
        self._began = (self._samples, cpu_seconds(self._child.pid))

    def end(self):
        samples = self._samples - self._began[0]
        cpu = cpu_seconds(self._child.pid) - self._began[1]
        return samples, cpu, memory_kib(self._child.pid)["Pss"]

    def stop(self):
        self._ended.set()
        self._thread.join(10)
        self._child.stop()
