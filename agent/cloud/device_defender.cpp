// SPDX-License-Identifier: Apache-2.0
#include "agent/cloud/device_defender.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <vector>

#include "platform/durable_file.hpp"
#include "platform/json.hpp"

namespace fieldpost {
namespace {

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  while (true) {
    line.remove_prefix(std::min(line.find_first_not_of(" \t:"), line.size()));
    if (line.empty()) return words;
    const std::size_t end = std::min(line.find_first_of(" \t"), line.size());
    words.push_back(line.substr(0, end));
    line.remove_prefix(end);
  }
}

template <typename Take>
void for_lines(std::string_view text, std::size_t skip, const Take& take) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (skip > 0) {
      --skip;
    } else {
      take(text.substr(0, end));
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

std::uint64_t number_in(std::string_view text, int of = 10) {
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number, of);
  return number;
}

/// "0100007F:1F90", or 32 digits of IPv6, as the kernel prints them: words of 32 bits in its own order.
struct Endpoint {
  std::string address;
  std::uint64_t port = 0;
};

std::optional<Endpoint> endpoint(std::string_view text) {
  constexpr std::size_t kDigits = 8;
  const std::size_t colon = text.find(':');
  if (colon != kDigits && colon != 4 * kDigits) return std::nullopt;
  std::array<std::uint32_t, 4> raw{};
  for (std::size_t i = 0; i < colon / kDigits; ++i) raw[i] = static_cast<std::uint32_t>(number_in(text.substr(i * kDigits, kDigits), 16));
  std::array<char, INET6_ADDRSTRLEN> name{};
  const bool v6 = colon != kDigits;
  if (::inet_ntop(v6 ? AF_INET6 : AF_INET, raw.data(), name.data(), name.size()) == nullptr) return std::nullopt;
  return Endpoint{v6 ? "[" + std::string{name.data()} + "]" : std::string{name.data()}, number_in(text.substr(colon + 1), 16)};
}

/// Of /proc/net/tcp and its like: where the state is the one asked for.
struct Connection {
  Endpoint local;
  Endpoint remote;
};

void add_connections(std::vector<Connection>& found, const std::optional<std::string>& file, std::string_view state) {
  if (!file) return;
  for_lines(*file, 1, [&](std::string_view line) {
    const auto words = words_of(line);  // number, local, remote, state, ...
    if (words.size() < 4 || words[3] != state) return;
    auto local = endpoint(words[1]);
    auto remote = endpoint(words[2]);
    if (local && remote) found.push_back({std::move(*local), std::move(*remote)});
  });
}

void write_ports(JsonWriter& json, std::string_view name, const std::vector<Connection>& found) {
  std::vector<std::uint64_t> ports;
  for (const Connection& each : found) ports.push_back(each.local.port);
  std::sort(ports.begin(), ports.end());
  ports.erase(std::unique(ports.begin(), ports.end()), ports.end());
  json.key(name).begin_object().key("ports").begin_array();
  for (std::size_t i = 0; i < std::min(ports.size(), DeviceDefender::kListedMax); ++i) json.begin_object().member("port", ports[i]).end_object();
  json.end_array().member("total", std::uint64_t{ports.size()}).end_object();
}

}  // namespace

DeviceDefender::DeviceDefender(EventLoop& loop, Log& log, Link& link, std::string_view thing, seconds interval, std::string root)
    : loop_{loop},
      log_{log},
      link_{link},
      place_{"$aws/things/" + std::string{thing} + "/defender/metrics/json"},
      interval_{interval},
      root_{std::move(root)} {}

void DeviceDefender::start() {
  link_.subscribe(place_ + "/accepted", 1, [this](std::string_view, std::string_view) { last_refusal_.clear(); });
  link_.subscribe(place_ + "/rejected", 1, [this](std::string_view, std::string_view payload) { rejected(payload); });
  before_ = traffic();
  timer_ = loop_.every(loop_.clock().now() + interval_, interval_, [this] { report(); });
}

std::optional<std::string> DeviceDefender::file(std::string_view name) const {
  auto text = read_file(root_ + "/proc/net/" + std::string{name}, kFileBytesMax);
  return text ? std::optional{std::move(*text)} : std::nullopt;
}

/// Of all interfaces but the loopback.
std::optional<DeviceDefender::Traffic> DeviceDefender::traffic() const {
  const auto text = file("dev");
  if (!text) return std::nullopt;
  Traffic sum{};
  for_lines(*text, 2, [&sum](std::string_view line) {
    constexpr std::array<std::size_t, 4> kColumns{1, 2, 9, 10};
    // Without a blank between in old kernels: "eth0:1234".
    std::string spaced{line};
    std::replace(spaced.begin(), spaced.end(), ':', ' ');
    const auto words = words_of(spaced);
    if (words.size() <= kColumns.back() || words[0] == "lo") return;
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += number_in(words[kColumns[i]]);
  });
  return sum;
}

void DeviceDefender::report() {
  if (!link_.connected()) return;  // the traffic counts on, until one gets through
  const auto now = traffic();
  const auto utc = std::chrono::floor<seconds>(loop_.clock().utc_above_floor().time).time_since_epoch().count();
  last_id_ = std::max<std::int64_t>(last_id_ + 1, utc);  // must grow, over restarts too
  JsonWriter json;
  json.begin_object().key("header").begin_object().member("report_id", last_id_).member("version", "1.0").end_object();
  json.key("metrics").begin_object();
  std::vector<Connection> listening;
  std::vector<Connection> bound;
  std::vector<Connection> established;
  for (const char* name : {"tcp", "tcp6"}) {
    const auto text = file(name);
    add_connections(listening, text, "0A");
    add_connections(established, text, "01");
  }
  for (const char* name : {"udp", "udp6"}) add_connections(bound, file(name), "07");
  write_ports(json, "listening_tcp_ports", listening);
  write_ports(json, "listening_udp_ports", bound);
  if (now && before_) {
    constexpr std::array<std::string_view, 4> kNames{"bytes_in", "packets_in", "bytes_out", "packets_out"};
    json.key("network_stats").begin_object();
    // An interface that has gone took its counts along.
    for (std::size_t i = 0; i < kNames.size(); ++i) json.member(kNames[i], (*now)[i] - std::min((*now)[i], (*before_)[i]));
    json.end_object();
  }
  json.key("tcp_connections").begin_object().key("established_connections").begin_object().key("connections").begin_array();
  for (std::size_t i = 0; i < std::min(established.size(), kListedMax); ++i) {
    const Connection& each = established[i];
    json.begin_object().member("local_port", each.local.port);
    json.member("remote_addr", each.remote.address + ":" + std::to_string(each.remote.port)).end_object();
  }
  json.end_array().member("total", std::uint64_t{established.size()}).end_object().end_object();
  json.end_object().end_object();
  Link::Message message;
  message.topic = place_;
  message.payload = std::move(json).take();
  // One that has no room now is left out; the next tells the traffic of both.
  if (link_.publish(std::move(message), [](const Result<void>&) {})) before_ = now;
}

void DeviceDefender::rejected(std::string_view payload) {
  const auto json = Json::parse(payload);
  const auto details = json ? json->at("statusDetails") : std::nullopt;
  const auto text = [&](std::string_view key) {
    const auto member = details ? details->at(key) : std::nullopt;
    return member ? member->string().value_or("") : std::string{};
  };
  const std::string refusal = text("ErrorCode") + " " + text("ErrorMessage");
  if (refusal != last_refusal_) log_.warn("Device Defender refuses the report", {{"error", refusal}});
  last_refusal_ = refusal;
}

}  // namespace fieldpost
