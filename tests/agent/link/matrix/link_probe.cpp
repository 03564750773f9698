// SPDX-License-Identifier: Apache-2.0
// Drives one link from the command line and prints what became of it as one line of JSON: the
// matrix of tests (pytest) runs it against real brokers and against peers that misbehave.
//
//   link_probe --url mqtts://localhost:8883 --ca ca.pem --cert chain.pem --key key.pem --publish 100 --size 200
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <map>
#include <string>
#include <string_view>

#include <csignal>

#include "agent/link/link.hpp"
#include "platform/event_loop.hpp"
#include "platform/json.hpp"
#include "platform/log.hpp"

namespace fieldpost {
namespace {

/// The machine's clock, or one that is as wrong as the test wants.
class ProbeClock final : public Clock {
 public:
  BootTime now() const override { return system_.now(); }
  UtcReading utc() const override {
    auto reading = system_.utc();
    reading.time += shift;
    if (synchronised) reading.synchronised = *synchronised;
    return reading;
  }
  const BootId& boot_id() const override { return system_.boot_id(); }

  nanoseconds shift{};
  std::optional<bool> synchronised;

 private:
  SystemClock system_;
};

struct Arguments {
  LinkOptions link;
  std::string topic = "probe";
  std::string subscribe;
  std::size_t publish = 0;
  std::size_t size = 200;
  int qos = 1;
  seconds run_for{30};         ///< gives up then
  std::uint64_t attempts = 1;  ///< ends after so many failures
  std::uint64_t connects = 1;  ///< ends when connected so often and everything is acknowledged
  seconds hold{0};             ///< stays connected so long before it stops
  bool drop_between = false;   ///< stops and starts the link between connects
  bool verbose = false;
  ProbeClock clock;
};

[[noreturn]] void usage(const std::string& what) {
  std::fprintf(stderr, "link_probe: %s\n", what.c_str());
  std::exit(64);
}

long number(std::string_view text) {
  long value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) usage("no number: " + std::string{text});
  return value;
}

LinkOptions::TlsVersion tls_version(std::string_view text) {
  if (text == "1.2") return LinkOptions::TlsVersion::v1_2;
  if (text == "1.3") return LinkOptions::TlsVersion::v1_3;
  usage("no TLS version: " + std::string{text});
}

void parse(int count, char** words, Arguments& arguments) {
  auto& link = arguments.link;
  link.client_id = "link-probe";
  link.connect_timeout = seconds{10};
  const std::map<std::string_view, std::function<void(const std::string&)>> options = {
      {"--url", [&](const std::string& v) { link.url = v; }},
      {"--plaintext-allowed", [&](const std::string& v) { link.plaintext_allowed = v == "yes"; }},
      {"--ca", [&](const std::string& v) { link.ca_file = v; }},
      {"--cert", [&](const std::string& v) { link.certificate_file = v; }},
      {"--key", [&](const std::string& v) { link.key_file = v; }},
      {"--key-password", [&](const std::string& v) { link.key_password = v; }},
      {"--crl", [&](const std::string& v) { link.crl_file = v; }},
      {"--server-name", [&](const std::string& v) { link.server_name = v; }},
      {"--alpn", [&](const std::string& v) { link.alpn.push_back(v); }},
      {"--tls-min", [&](const std::string& v) { link.tls_min = tls_version(v); }},
      {"--tls-max", [&](const std::string& v) { link.tls_max = tls_version(v); }},
      {"--proxy", [&](const std::string& v) { link.proxy = v; }},
      {"--mqtt", [&](const std::string& v) {
         link.mqtt_version = v == "5" ? LinkOptions::MqttVersion::v5 : LinkOptions::MqttVersion::v3_1_1;
       }},
      {"--client-id", [&](const std::string& v) { link.client_id = v; }},
      {"--username", [&](const std::string& v) { link.username = v; }},
      {"--password", [&](const std::string& v) { link.password = v; }},
      {"--keep-alive", [&](const std::string& v) { link.keep_alive = seconds{number(v)}; }},
      {"--connect-timeout", [&](const std::string& v) { link.connect_timeout = seconds{number(v)}; }},
      {"--acknowledge-timeout", [&](const std::string& v) { link.acknowledge_timeout = seconds{number(v)}; }},
      {"--backoff-first", [&](const std::string& v) { link.backoff_first = milliseconds{number(v)}; }},
      {"--backoff-max", [&](const std::string& v) { link.backoff_max = milliseconds{number(v)}; }},
      {"--in-flight", [&](const std::string& v) { link.in_flight_messages_max = static_cast<std::size_t>(number(v)); }},
      {"--in-flight-bytes", [&](const std::string& v) { link.in_flight_bytes_max = static_cast<std::size_t>(number(v)); }},
      {"--will-topic", [&](const std::string& v) { link.will = LinkOptions::Will{v, "lost", 1, false}; }},
      {"--topic", [&](const std::string& v) { arguments.topic = v; }},
      {"--subscribe", [&](const std::string& v) { arguments.subscribe = v; }},
      {"--publish", [&](const std::string& v) { arguments.publish = static_cast<std::size_t>(number(v)); }},
      {"--size", [&](const std::string& v) { arguments.size = static_cast<std::size_t>(number(v)); }},
      {"--qos", [&](const std::string& v) { arguments.qos = static_cast<int>(number(v)); }},
      {"--run-for", [&](const std::string& v) { arguments.run_for = seconds{number(v)}; }},
      {"--attempts", [&](const std::string& v) { arguments.attempts = static_cast<std::uint64_t>(number(v)); }},
      {"--connects", [&](const std::string& v) { arguments.connects = static_cast<std::uint64_t>(number(v)); }},
      {"--hold", [&](const std::string& v) { arguments.hold = seconds{number(v)}; }},
      {"--drop-between", [&](const std::string& v) { arguments.drop_between = v == "yes"; }},
      {"--verbose", [&](const std::string& v) { arguments.verbose = v == "yes"; }},
      {"--clock-shift-seconds", [&](const std::string& v) { arguments.clock.shift = seconds{number(v)}; }},
      {"--clock-floor-seconds", [&](const std::string& v) {
         arguments.clock.note_floor(seconds{number(v)} - arguments.clock.now().time_since_epoch());
       }},
      {"--clock-synchronised", [&](const std::string& v) { arguments.clock.synchronised = v == "yes"; }},
  };
  for (int i = 1; i < count; i += 2) {
    const auto found = options.find(words[i]);
    if (found == options.end()) usage(std::string{"unknown option "} + words[i]);
    if (i + 1 >= count) usage(std::string{"no value after "} + words[i]);
    found->second(words[i + 1]);
  }
}

class Probe {
 public:
  Probe(EventLoop& loop, Log& log, Arguments& arguments) : loop_{loop}, log_{log}, arguments_{arguments} {}

  int run() {
    begun_ = last_tick_ = loop_.clock().now();
    auto made = Link::make(loop_, log_, arguments_.link);
    if (!made) {
      print(LinkStatus{}, made.error().sentence());
      return 2;
    }
    link_ = std::move(*made);
    link_->on_change([this](LinkState state) { changed(state); });
    if (!arguments_.subscribe.empty()) {
      link_->subscribe(arguments_.subscribe, 1, [this](std::string_view, std::string_view) { ++received_; check(); });
    }
    tick_ = loop_.every(begun_, milliseconds{10}, [this] { tick(); });
    give_up_ = loop_.after(arguments_.run_for, [this] { finish(); });
    term_ = loop_.on_signal(SIGTERM, [this] { finish(); });
    for (std::size_t i = 0; i < arguments_.publish; ++i) waiting_.push_back(i);
    link_->start();
    loop_.run();
    return acknowledged_ == arguments_.publish && connects_ >= arguments_.connects ? 0 : 1;
  }

 private:
  void tick() {
    const auto now = loop_.clock().now();
    longest_gap_ = std::max(longest_gap_, now - last_tick_);
    last_tick_ = now;
    ++ticks_;
    fill();
  }

  void changed(LinkState state) {
    if (state == LinkState::connected) {
      ++connects_;
      tls_of_connects_.push_back(link_->status().tls);
      fill();
      check();
    }
    if (state == LinkState::waiting && last_error_.empty()) last_error_ = link_->status().last_error;
    if (state == LinkState::waiting && link_->status().failures >= arguments_.attempts && connects_ < arguments_.connects) {
      loop_.post([this] { finish(); });
    }
    if (state == LinkState::waiting && link_->status().failures >= arguments_.attempts && arguments_.attempts > 1) {
      loop_.post([this] { finish(); });
    }
  }

  void fill() {
    while (!waiting_.empty() && link_->window(Link::Urgency::urgent) > 0) {
      const std::size_t number = waiting_.front();
      Link::Message message;
      message.topic = arguments_.topic;
      message.qos = arguments_.qos;
      message.urgency = Link::Urgency::urgent;  // nothing waits here but more of the same
      message.payload = std::to_string(number) + " ";
      message.payload.resize(std::max(arguments_.size, message.payload.size()), 'x');
      auto sent = link_->publish(std::move(message), [this, number](Result<void> result) {
        if (result) {
          ++acknowledged_;
        } else {
          ++unacknowledged_;
          refusal_ = result.error().sentence();
          // Lost with its connection, or not taken for now: once more. Refused: no.
          if (!link_->connected() || result.error().kind() == ErrorKind::Unavailable) waiting_.push_back(number);
        }
        fill();
        check();
      });
      if (!sent) return;
      waiting_.pop_front();
      ++published_;
    }
  }

  void check() {
    if (acknowledged_ < arguments_.publish) return;
    if (!arguments_.subscribe.empty() && received_ < arguments_.publish) return;
    if (connects_ < arguments_.connects) {
      if (arguments_.drop_between && !stopping_) {
        stopping_ = true;
        link_->stop([this] {
          stopping_ = false;
          link_->start();
        });
      }
      return;
    }
    if (!hold_) hold_ = loop_.after(arguments_.hold, [this] { finish(); });
  }

  void finish() {
    if (std::exchange(finished_, true)) return;
    give_up_.reset();
    const auto status = link_->status();
    const auto stop_begun = loop_.clock().now();
    link_->stop([this, status, stop_begun] {
      stop_took_ = loop_.clock().now() - stop_begun;
      auto after = link_->status();
      after.state = status.state;
      print(after, last_error_.empty() ? status.last_error : last_error_);
      loop_.stop();
    });
  }

  void print(const LinkStatus& status, const std::string& error) {
    const auto ms = [](nanoseconds time) { return std::chrono::duration_cast<milliseconds>(time).count(); };
    JsonWriter json;
    json.begin_object();
    json.member("state", to_string(status.state));
    json.member("peer", status.peer);
    json.member("tls", status.tls);
    json.member("error", error);
    json.member("refusal", refusal_);
    json.member("connects", status.connects);
    json.member("failures", status.failures);
    json.member("bytes_sent", status.bytes_sent);
    json.member("bytes_received", status.bytes_received);
    json.member("published", std::uint64_t{published_});
    json.member("acknowledged", std::uint64_t{acknowledged_});
    json.member("unacknowledged", std::uint64_t{unacknowledged_});
    json.member("received", std::uint64_t{received_});
    json.member("ticks", std::uint64_t{ticks_});
    json.member("longest_gap_ms", std::int64_t{ms(longest_gap_)});
    json.member("took_ms", std::int64_t{ms(loop_.clock().now() - begun_)});
    json.member("stop_took_ms", std::int64_t{ms(stop_took_)});
    json.member("clock_synchronised", loop_.clock().utc().synchronised);
    json.key("tls_of_connects").begin_array();
    for (const auto& tls : tls_of_connects_) json.value(tls);
    json.end_array();
    json.end_object();
    std::printf("%s\n", std::move(json).take().c_str());
    std::fflush(stdout);
  }

  EventLoop& loop_;
  Log& log_;
  Arguments& arguments_;
  std::unique_ptr<Link> link_;
  std::deque<std::size_t> waiting_;
  std::vector<std::string> tls_of_connects_;
  std::string last_error_;
  std::string refusal_;
  std::size_t published_ = 0;
  std::size_t acknowledged_ = 0;
  std::size_t unacknowledged_ = 0;
  std::size_t received_ = 0;
  std::uint64_t connects_ = 0;
  std::uint64_t ticks_ = 0;
  nanoseconds longest_gap_{};
  nanoseconds stop_took_{};
  BootTime begun_;
  BootTime last_tick_;
  bool stopping_ = false;
  bool finished_ = false;
  Subscription tick_;
  Subscription give_up_;
  Subscription hold_;
  Subscription term_;
};

}  // namespace
}  // namespace fieldpost

int main(int count, char** words) {
  fieldpost::Arguments arguments;
  fieldpost::parse(count, words, arguments);
  const auto loop = fieldpost::make_event_loop(arguments.clock);
  fieldpost::Log log{arguments.clock, arguments.verbose ? fieldpost::LogLevel::debug : fieldpost::LogLevel::error};
  return fieldpost::Probe{*loop, log, arguments}.run();
}
