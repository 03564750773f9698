// SPDX-License-Identifier: Apache-2.0
// Debian's Paho C with OpenSSL, publishing ready-made payloads at QoS 1 over mutual TLS and doing nothing else: the
// floor for any client that sends the same bytes in the same number of messages. Built and called by store.py:
//   paho_alone URL CA CERTIFICATE KEY MESSAGES BYTES   prints the CPU seconds from the first publish to the last PUBACK
#include <MQTTAsync.h>
#include <sys/resource.h>

#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>

namespace {

constexpr int kInFlightMax = 20;

std::mutex mutex;
std::condition_variable changed;
bool connected = false;
bool failed = false;
long acknowledged = 0;

double cpu_seconds() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& time) { return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6; };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

template <typename Change>
void change(Change made) {
  const std::lock_guard lock{mutex};
  made();
  changed.notify_one();
}

void connect_ended(void*, MQTTAsync_successData*) {
  change([] { connected = true; });
}
void sent(void*, MQTTAsync_successData*) {
  change([] { ++acknowledged; });
}
void ended_badly(void*, MQTTAsync_failureData*) {
  change([] { failed = true; });
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 7) return 2;
  const long messages = std::atol(arguments[5]);
  const std::string payload(static_cast<std::size_t>(std::atol(arguments[6])), '7');
  MQTTAsync client = nullptr;
  if (MQTTAsync_create(&client, arguments[1], "paho-alone", MQTTCLIENT_PERSISTENCE_NONE, nullptr) != MQTTASYNC_SUCCESS) return 1;
  MQTTAsync_SSLOptions tls = MQTTAsync_SSLOptions_initializer;
  tls.trustStore = arguments[2];
  tls.keyStore = arguments[3];
  tls.privateKey = arguments[4];
  MQTTAsync_connectOptions connect = MQTTAsync_connectOptions_initializer;
  connect.ssl = &tls;
  connect.maxInflight = kInFlightMax;
  connect.onSuccess = connect_ended;
  connect.onFailure = ended_badly;
  if (MQTTAsync_connect(client, &connect) != MQTTASYNC_SUCCESS) return 1;
  std::unique_lock lock{mutex};
  changed.wait(lock, [] { return connected || failed; });
  const double began = cpu_seconds();
  for (long number = 0; number < messages && !failed; ++number) {
    changed.wait(lock, [number] { return failed || number - acknowledged < kInFlightMax; });
    lock.unlock();
    MQTTAsync_responseOptions response = MQTTAsync_responseOptions_initializer;
    response.onSuccess = sent;
    response.onFailure = ended_badly;
    if (MQTTAsync_send(client, "fieldpost/paho-alone/bulk", static_cast<int>(payload.size()), payload.data(), 1, 0, &response) != MQTTASYNC_SUCCESS) {
      return 1;
    }
    lock.lock();
  }
  changed.wait(lock, [messages] { return failed || acknowledged == messages; });
  lock.unlock();
  std::printf("%.6f\n", cpu_seconds() - began);
  const bool good = !failed;
  MQTTAsync_destroy(&client);
  return good ? 0 : 1;
}
