// SPDX-License-Identifier: Apache-2.0
// The link's states and timers in virtual time, against a broker that the test plays by hand on a
// loopback socket. Paho is the real one; TLS is the matrix's business.
#include "agent/link/mqtt_link.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

#include "tests/support/collecting_log.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/manual_event_loop.hpp"

namespace fieldpost {
namespace {

/// Listens, accepts one connection at a time, and keeps whole MQTT packets.
class HandBroker {
 public:
  explicit HandBroker(EventLoop& loop) : loop_{loop} {
    listener_ = FileDescriptor{::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
    ::listen(listener_.get(), 4);
    socklen_t length = sizeof address;
    ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &length);
    port = ntohs(address.sin_port);
    accept_ = loop_.when_readable(listener_.get(), [this] {
      readable_.reset();
      connection_ = FileDescriptor{::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)};
      bytes_.clear();
      ++accepted;
      readable_ = loop_.when_readable(connection_.get(), [this] { read(); });
    });
  }
  void hang_up() {
    readable_.reset();
    connection_.close();
  }
  void send(const std::string& bytes) {
    ASSERT_EQ(::send(connection_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
  }
  std::size_t count(unsigned kind) const {
    return static_cast<std::size_t>(std::count_if(packets.begin(), packets.end(), [&](const std::string& p) {
      return static_cast<unsigned char>(p[0]) >> 4U == kind;
    }));
  }

  std::uint16_t port = 0;
  int accepted = 0;
  bool answer_connect = true;
  bool answer_publish = true;
  std::string connack{"\x20\x03\x00\x00\x00", 5};
  std::vector<std::string> packets;

 private:
  void read() {
    char some[65536];
    const auto count = ::recv(connection_.get(), some, sizeof some, 0);
    if (count <= 0) {
      hang_up();
      return;
    }
    bytes_.append(some, static_cast<std::size_t>(count));
    for (;;) {
      std::size_t length = 0;
      std::size_t head = 1;
      unsigned shift = 0;
      bool whole = false;
      while (head < bytes_.size() && !whole) {
        const auto byte = static_cast<unsigned char>(bytes_[head++]);
        length |= static_cast<std::size_t>(byte & 127U) << shift;
        shift += 7;
        whole = byte < 128;
      }
      if (!whole || bytes_.size() < head + length) return;
      took(bytes_.substr(0, head + length), head);
      bytes_.erase(0, head + length);
    }
  }
  void took(const std::string& packet, std::size_t head) {
    packets.push_back(packet);
    const auto kind = static_cast<unsigned char>(packet[0]) >> 4U;
    if (kind == 1 && answer_connect) send(connack);
    if (kind == 3 && answer_publish) {
      const std::size_t topic = static_cast<unsigned char>(packet[head + 1]);
      send(std::string{"\x40\x02", 2} + packet.substr(head + 2 + topic, 2));
    }
    if (kind == 8) send(std::string{"\x90\x04", 2} + packet.substr(head, 2) + std::string{"\x00\x01", 2});
  }

  EventLoop& loop_;
  FileDescriptor listener_;
  FileDescriptor connection_;
  Subscription accept_;
  Subscription readable_;
  std::string bytes_;
};

struct MqttLinkTest : testing::Test {
  void make(std::function<void(LinkOptions&)> adjust = {}) {
    MqttLink::Parts parts;
    parts.options.url = "mqtt://127.0.0.1:" + std::to_string(broker.port);
    parts.options.plaintext_allowed = true;
    parts.options.client_id = "post";
    parts.options.keep_alive = seconds{0};  // Paho pings by the real clock
    if (adjust) adjust(parts.options);
    parts.broker = *parse_broker_url(parts.options.url, true);
    parts.look_up = NameResolver::system_look_up();
    parts.random = [] { return 0.5; };
    link = std::make_unique<MqttLink>(loop, log.log(), std::move(parts));
    link->on_change([this](LinkState state) { states.push_back(state); });
  }
  void connect() {
    link->start();
    wait_connected();
  }
  /// Paho's receiving thread may take the end that it saw on an earlier socket for one of a new one of the same number, and
  /// close it: then the link tries again.
  void wait_connected() {
    for (int attempt = 0; attempt < 5 && !link->connected(); ++attempt) {
      ASSERT_TRUE(loop.run_until([&] { return link->connected() || link->status().next_attempt; }));
      if (!link->connected()) loop.advance(seconds{2});
    }
    ASSERT_TRUE(link->connected());
  }
  /// The broker hangs up, and Paho, which has seen it as well, has said so.
  void lose() {
    broker.hang_up();
    ASSERT_TRUE(loop.run_until([&] { return link->status().state == LinkState::waiting; }));
  }
  Result<void> publish(const std::string& payload) {
    return publish(payload, Link::Urgency::urgent);
  }
  Result<void> publish(const std::string& payload, Link::Urgency urgency) {
    return link->publish({"t", payload, 1, false, {}, urgency}, [this](Result<void> result) { results.push_back(std::move(result)); });
  }

  ManualClock clock;
  ManualEventLoop loop{clock};
  CollectingLog log{clock};
  HandBroker broker{loop};
  std::unique_ptr<MqttLink> link;
  std::vector<LinkState> states;
  std::vector<Result<void>> results;
};

TEST_F(MqttLinkTest, KeepsPlaceForWhatIsUrgent) {
  broker.answer_publish = false;
  make([](LinkOptions& options) { options.in_flight_messages_max = 8; });
  connect();
  for (int i = 0; i < 7; ++i) ASSERT_TRUE(publish("x", Link::Urgency::ordinary));
  EXPECT_EQ(link->window(Link::Urgency::ordinary), 0U);
  EXPECT_EQ(publish("x", Link::Urgency::ordinary).error().kind(), ErrorKind::Full);
  EXPECT_TRUE(publish("an alert", Link::Urgency::urgent));
  EXPECT_EQ(publish("x", Link::Urgency::urgent).error().kind(), ErrorKind::Full);
}

TEST_F(MqttLinkTest, KeepsNoMoreOfWhatIsOrdinaryOnItsWayThanTheLinkMovesInASecond) {
  broker.answer_publish = false;
  make();
  connect();
  ASSERT_TRUE(publish(std::string(8'000, 'x'), Link::Urgency::ordinary));
  ASSERT_TRUE(loop.run_until([&] { return broker.count(3) == 1; }));
  loop.advance(seconds{1});
  broker.send(std::string{"\x40\x02\x00\x01", 4});
  ASSERT_TRUE(loop.run_until([&] { return !results.empty(); }));  // some 8 kB/s, a second after: 16 kB
  ASSERT_TRUE(publish(std::string(12'000, 'x'), Link::Urgency::ordinary));
  EXPECT_LT(link->window_bytes(Link::Urgency::ordinary), 5'000U);
  EXPECT_EQ(publish(std::string(5'000, 'x'), Link::Urgency::ordinary).error().kind(), ErrorKind::Full);
  EXPECT_TRUE(publish(std::string(5'000, 'x'), Link::Urgency::urgent));
  EXPECT_EQ(link->window(Link::Urgency::ordinary), 0U);
}

TEST_F(MqttLinkTest, ConnectsPublishesAndTellsTheAcknowledgement) {
  make();
  EXPECT_EQ(publish("too early").error().kind(), ErrorKind::Unavailable);
  connect();
  EXPECT_EQ(states, (std::vector<LinkState>{LinkState::connecting, LinkState::connected}));
  ASSERT_TRUE(publish("hello"));
  EXPECT_TRUE(results.empty());
  ASSERT_TRUE(loop.run_until([&] { return !results.empty(); }));
  EXPECT_TRUE(results[0]);
  EXPECT_EQ(link->status().connects, 1U);
  EXPECT_EQ(link->status().peer, "127.0.0.1:" + std::to_string(broker.port));
  EXPECT_GT(link->status().bytes_sent, 0U);
}

TEST_F(MqttLinkTest, KeepsToItsWindowOfMessages) {
  make([](LinkOptions& options) { options.in_flight_messages_max = 3; });
  broker.answer_publish = false;
  connect();
  EXPECT_EQ(link->window(Link::Urgency::urgent), 3U);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(publish("x"));
  EXPECT_EQ(link->window(Link::Urgency::urgent), 0U);
  EXPECT_EQ(publish("x").error().kind(), ErrorKind::Full);
}

TEST_F(MqttLinkTest, KeepsToItsWindowOfBytesButLetsOneLargeMessageThrough) {
  make([](LinkOptions& options) { options.in_flight_bytes_max = 10'000; });
  broker.answer_publish = false;
  connect();
  ASSERT_TRUE(publish(std::string(50'000, 'x')));
  EXPECT_EQ(publish("x").error().kind(), ErrorKind::Full);
  EXPECT_EQ(link->window(Link::Urgency::urgent), 0U);
  EXPECT_EQ(link->window_bytes(Link::Urgency::urgent), 0U);
}

TEST_F(MqttLinkTest, TellsHowManyBytesItHasRoomFor) {
  make([](LinkOptions& options) { options.in_flight_bytes_max = 10'000; });
  broker.answer_publish = false;
  connect();
  EXPECT_GE(link->window_bytes(Link::Urgency::urgent), 10'000U);
  ASSERT_TRUE(publish(std::string(5'000, 'x')));
  const std::size_t room = link->window_bytes(Link::Urgency::urgent) - 1;  // the topic is "t"
  EXPECT_EQ(publish(std::string(room + 1, 'x')).error().kind(), ErrorKind::Full);
  EXPECT_TRUE(publish(std::string(room, 'x')));
}

TEST_F(MqttLinkTest, RefusesAMessageOneByteLargerThanTheBrokerTakes) {
  make();
  broker.connack = std::string{"\x20\x08\x00\x00\x05\x27\x00\x00\x01\x00", 10};  // packets of up to 256 bytes
  connect();
  constexpr std::size_t kFits = 256 - MqttLink::kPublishOverhead - 1;  // the topic is "t"
  EXPECT_EQ(publish(std::string(kFits + 1, 'x')).error().kind(), ErrorKind::OutOfRange);
  ASSERT_TRUE(publish(std::string(kFits, 'x')));
  ASSERT_TRUE(loop.run_until([&] { return results.size() == 1; }));
  EXPECT_TRUE(results[0]);
  EXPECT_TRUE(link->connected());
}

TEST_F(MqttLinkTest, IsNoLongerConnectedWhenItFailsWhatWasUnderWay) {
  make();
  broker.answer_publish = false;
  for (const bool by_stop : {false, true}) {
    connect();
    std::optional<bool> connected_then;
    ASSERT_TRUE(link->publish({"t", "x", 1, false, {}, Link::Urgency::urgent}, [&](const Result<void>&) { connected_then = link->connected(); }));
    if (by_stop) {
      link->stop({});
    } else {
      broker.hang_up();
    }
    ASSERT_TRUE(loop.run_until([&] { return connected_then.has_value(); }));
    EXPECT_FALSE(*connected_then);
    loop.advance(seconds{2});
  }
}

TEST_F(MqttLinkTest, ClosesAndReconnectsWhenNothingIsAcknowledgedInTime) {
  make([](LinkOptions& options) { options.acknowledge_timeout = seconds{20}; });
  broker.answer_publish = false;
  connect();
  ASSERT_TRUE(publish("x"));
  ASSERT_TRUE(loop.run_until([&] { return broker.count(3) == 1; }));
  loop.advance(seconds{19});
  EXPECT_TRUE(link->connected());
  loop.advance(seconds{3});
  ASSERT_EQ(results.size(), 1U);
  EXPECT_EQ(results[0].error().kind(), ErrorKind::Io);
  EXPECT_NE(link->status().last_error.find("acknowledged nothing for 20 s"), std::string::npos);
  loop.advance(seconds{1});  // the back-off is half a second
  ASSERT_TRUE(loop.run_until([&] { return link->connected(); }));
  EXPECT_EQ(broker.count(3), 1U);  // sending again is the outbox's business
  EXPECT_EQ(link->status().last_error, "");
}

TEST_F(MqttLinkTest, WaitsLongerAfterEachFailureAndShorterOnceUseful) {
  make([](LinkOptions& options) { options.backoff_first = seconds{1}; });
  connect();
  for (const long wait : {500, 1'000, 2'000, 4'000}) {
    lose();
    const auto pause = *link->status().next_attempt - link->status().since;
    EXPECT_EQ(pause, milliseconds{wait});
    loop.advance(pause);
    ASSERT_TRUE(loop.run_until([&] { return link->connected(); }));
  }
  ASSERT_TRUE(publish("useful"));
  ASSERT_TRUE(loop.run_until([&] { return results.size() == 1; }));
  lose();
  EXPECT_EQ(*link->status().next_attempt - link->status().since, milliseconds{500});
}

TEST_F(MqttLinkTest, GivesUpOnABrokerThatDoesNotAnswerConnect) {
  make([](LinkOptions& options) { options.connect_timeout = seconds{30}; });
  broker.answer_connect = false;
  link->start();
  ASSERT_TRUE(loop.run_until([&] { return broker.count(1) == 1; }));
  loop.advance(seconds{31});
  EXPECT_NE(link->status().last_error.find("did not answer our MQTT CONNECT within 30 s"), std::string::npos);
}

TEST_F(MqttLinkTest, SubscribesAnewAfterEachReconnect) {
  make();
  std::vector<std::string> received;
  link->subscribe("jobs/+", 1, [&](std::string_view topic, std::string_view payload) {
    received.push_back(std::string{topic} + "=" + std::string{payload});
  });
  connect();
  ASSERT_TRUE(loop.run_until([&] { return broker.count(8) == 1; }));
  broker.send(std::string{"\x30\x0a\x00\x06jobs/7\x00!", 12});
  ASSERT_TRUE(loop.run_until([&] { return received.size() == 1; }));
  EXPECT_EQ(received[0], "jobs/7=!");
  lose();
  loop.advance(seconds{1});
  ASSERT_TRUE(loop.run_until([&] { return broker.count(8) == 2; }));
}

TEST_F(MqttLinkTest, SaysGoodbyeWhenItStops) {
  make();
  connect();
  bool stopped = false;
  link->stop([&] { stopped = true; });
  EXPECT_FALSE(stopped);
  ASSERT_TRUE(loop.run_until([&] { return stopped; }));
  EXPECT_EQ(broker.count(14), 1U);
  EXPECT_EQ(link->status().state, LinkState::stopped);
}

TEST_F(MqttLinkTest, StopsWithinASecondWhateverThePeerDoes) {
  make();
  broker.answer_publish = false;
  connect();
  ASSERT_TRUE(publish(std::string(300'000, 'x')));
  bool stopped = false;
  // The peer reads nothing and closes nothing: its side is not served while time jumps.
  const auto begun = clock.now();
  link->stop([&] { stopped = true; });
  ASSERT_EQ(results.size(), 1U);
  EXPECT_FALSE(results[0]);
  loop.advance(seconds{1});
  EXPECT_TRUE(stopped);
  EXPECT_LE(clock.now() - begun, seconds{1});
}

TEST_F(MqttLinkTest, StopsFromEveryState) {
  make();
  int stopped = 0;
  link->stop([&] { ++stopped; });  // never started
  loop.run_ready();
  EXPECT_EQ(stopped, 1);
  link->start();  // and while connecting
  link->stop([&] { ++stopped; });
  link->stop([&] { ++stopped; });
  loop.run_ready();
  EXPECT_EQ(stopped, 3);
  connect();  // starts again afterwards
  link->stop([&] { ++stopped; });
  link->start();  // before the stop is through
  ASSERT_TRUE(loop.run_until([&] { return stopped == 4 && link->connected(); }));
}

TEST_F(MqttLinkTest, MayBeStoppedAndDestroyedFromItsOwnCallbacks) {
  make();
  connect();
  bool answered = false;
  ASSERT_TRUE(link->publish({"t", "x", 1, false, {}, Link::Urgency::urgent}, [&](Result<void>) {
    answered = true;
    link->stop({});
  }));
  ASSERT_TRUE(loop.run_until([&] { return answered; }));
  loop.advance(seconds{1});
  EXPECT_EQ(link->status().state, LinkState::stopped);
  connect();
  ASSERT_TRUE(publish("left behind"));
  link.reset();
  loop.run_ready();
}

TEST_F(MqttLinkTest, LeavesNoTimerAndNoWatchBehind) {
  make();
  const auto timers = loop.timers();
  const auto watches = loop.watches();
  connect();
  ASSERT_TRUE(publish("x"));
  ASSERT_TRUE(loop.run_until([&] { return results.size() == 1; }));
  bool stopped = false;
  link->stop([&] { stopped = true; });
  ASSERT_TRUE(loop.run_until([&] { return stopped; }));
  link.reset();
  loop.run_ready();
  EXPECT_EQ(loop.timers(), timers);
  EXPECT_EQ(loop.watches(), watches);
}

TEST(LinkMake, RefusesOptionsThatCannotWork) {
  ManualClock clock;
  ManualEventLoop loop{clock};
  CollectingLog log{clock};
  const auto refused = [&](const std::function<void(LinkOptions&)>& adjust) {
    LinkOptions options;
    options.url = "mqtt://localhost";
    options.plaintext_allowed = true;
    adjust(options);
    const auto made = Link::make(loop, log.log(), std::move(options));
    return made ? std::string{"made"} : made.error().sentence();
  };
  EXPECT_EQ(refused([](LinkOptions&) {}), "made");
  EXPECT_NE(refused([](LinkOptions& o) { o.in_flight_messages_max = 0; }), "made");
  EXPECT_NE(refused([](LinkOptions& o) { o.in_flight_messages_max = 32'769; }), "made");
  EXPECT_EQ(refused([](LinkOptions& o) { o.in_flight_messages_max = 32'768; }), "made");
  EXPECT_NE(refused([](LinkOptions& o) { o.in_flight_bytes_max = 1; }), "made");
  EXPECT_NE(refused([](LinkOptions& o) { o.keep_alive = seconds{65'536}; }), "made");
  EXPECT_NE(refused([](LinkOptions& o) { o.backoff_max = milliseconds{1}; }), "made");
  EXPECT_EQ(refused([](LinkOptions& o) { o.plaintext_allowed = false; }).rfind("url: ", 0), 0U);
  EXPECT_EQ(refused([](LinkOptions& o) { o.proxy = "ftp://x"; }).rfind("proxy: ", 0), 0U);
}

}  // namespace
}  // namespace fieldpost
