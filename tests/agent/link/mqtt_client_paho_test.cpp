// SPDX-License-Identifier: Apache-2.0
// Paho over one end of a socket pair; the test is the broker at the other.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "agent/link/mqtt_client.hpp"
#include "agent/link/socket_address.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/manual_event_loop.hpp"

namespace fieldpost {
namespace {

struct MqttClientTest : testing::Test {
  /// Paho's receiving thread may take the end that it saw on the socket of the test before for one of ours, where the kernel has given
  /// it the same number, and close it. The link would try again after its back-off.
  void connect(LinkOptions::MqttVersion version = LinkOptions::MqttVersion::v5) {
    for (int attempt = 0; attempt < 5 && heard.size() <= 10; ++attempt) {
      client.reset();
      refused = false;
      connect_once(version);
    }
    ASSERT_GT(heard.size(), 10U);
  }
  void connect_once(LinkOptions::MqttVersion version) {
    auto pair = make_socket_pair();
    broker = std::move(pair->ours);
    MqttClient::Options options;
    options.version = version;
    options.peer = {"broker:1", "post", false};
    options.username = "user";
    options.password = "pass";
    options.keep_alive = seconds{0};
    options.will = LinkOptions::Will{"will/topic", "gone", 1, true};
    options.port = 8883;
    MqttClient::Events events;
    events.connected = [this](const MqttBrokerLimits& said) {
      connected = true;
      limits = said;
    };
    events.refused = [this](std::optional<Error> error) {
      refused = true;
      if (error) sentence = error->sentence();
    };
    events.lost = [this](std::optional<Error> error) {
      lost = true;
      if (error) sentence = error->sentence();
    };
    events.published = [this](std::uint32_t number, Result<void> result) {
      published.push_back(number);
      if (!result) sentence = result.error().sentence();
    };
    events.subscribed = [](const std::string&, Result<void>) {};
    events.received = [this](const std::string& topic, const std::string& payload) { received.push_back(topic + "=" + payload); };
    watch = loop.when_readable(broker.get(), [this] {
      char some[65536];
      const auto count = ::recv(broker.get(), some, sizeof some, 0);
      if (count > 0) heard.append(some, static_cast<std::size_t>(count));
      if (count <= 0) watch.reset();
    });
    auto made = MqttClient::connect(loop, std::move(pair->theirs), std::move(options), std::move(events));
    ASSERT_TRUE(made) << made.error().sentence();
    client = std::move(*made);
    ASSERT_TRUE(loop.run_until([&] { return heard.size() > 10 || refused || lost; }));
  }
  void say(const std::string& bytes) { ASSERT_EQ(::write(broker.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size())); }
  void accept() {
    say(std::string{"\x20\x03\x00\x00\x00", 5});
    ASSERT_TRUE(loop.run_until([&] { return connected; }));
    heard.clear();
  }

  ManualClock clock;
  ManualEventLoop loop{clock};
  FileDescriptor broker;
  Subscription watch;
  std::string heard;
  std::unique_ptr<MqttClient> client;
  bool connected = false;
  bool refused = false;
  bool lost = false;
  MqttBrokerLimits limits;
  std::string sentence;
  std::vector<std::uint32_t> published;
  std::vector<std::string> received;
};

TEST_F(MqttClientTest, SendsWhatTheOptionsSay) {
  connect(LinkOptions::MqttVersion::v3_1_1);
  EXPECT_EQ(heard.substr(2, 7), (std::string{"\x00\x04MQTT\x04", 7}));
  EXPECT_EQ(static_cast<unsigned char>(heard[9]), 0xEEU);  // user, password, will retained at QoS 1, clean session
  EXPECT_NE(heard.find(std::string{"\x00\x04post", 6}), std::string::npos);
  EXPECT_NE(heard.find("will/topic"), std::string::npos);
  EXPECT_NE(heard.find(std::string{"\x00\x04user\x00\x04pass", 12}), std::string::npos);
  EXPECT_FALSE(connected);
}

TEST_F(MqttClientTest, TellsTheLimitsThatTheBrokerSets) {
  connect();
  say(std::string{"\x20\x0b\x00\x00\x08\x21\x00\x05\x27\x00\x01\x00\x02", 13});
  ASSERT_TRUE(loop.run_until([&] { return connected; }));
  EXPECT_EQ(limits.receive_maximum, 5);
  EXPECT_EQ(limits.packet_bytes_max, 65'538U);
}

TEST_F(MqttClientTest, TellsNoLimitsWhereTheBrokerSetsNone) {
  connect();
  accept();
  EXPECT_FALSE(limits.receive_maximum);
  EXPECT_FALSE(limits.packet_bytes_max);
}

TEST_F(MqttClientTest, ExplainsARefusal) {
  connect();
  say(std::string{"\x20\x03\x00\x8A\x00", 5});
  ASSERT_TRUE(loop.run_until([&] { return refused; }));
  EXPECT_EQ(sentence, "broker:1 refused our CONNECT: banned (reason 0x8a); have the broker's administrator lift the ban");
}

TEST_F(MqttClientTest, SaysNothingOfItsOwnWhenTheConnectionBreaksFirst) {
  connect();
  ::shutdown(broker.get(), SHUT_WR);
  ASSERT_TRUE(loop.run_until([&] { return refused; }));
  EXPECT_EQ(sentence, "");
}

TEST_F(MqttClientTest, PublishesWithItsNumberAndContentType) {
  connect();
  accept();
  ASSERT_TRUE(client->publish(7, {"t", "payload", 1, false, "application/json"}));
  ASSERT_TRUE(loop.run_until([&] { return heard.find("payload") != std::string::npos; }));
  EXPECT_NE(heard.find(std::string{"\x03\x00\x10", 3} + "application/json"), std::string::npos);
  say(std::string{"\x40\x02", 2} + heard.substr(5, 2));  // after type, length and topic "t"
  ASSERT_TRUE(loop.run_until([&] { return !published.empty(); }));
  EXPECT_EQ(published, std::vector<std::uint32_t>{7});
  EXPECT_EQ(sentence, "");
}

TEST_F(MqttClientTest, TellsTheReasonOfADisconnect) {
  connect();
  accept();
  say(std::string{"\xE0\x02\x8B\x00", 4});
  ASSERT_TRUE(loop.run_until([&] { return lost; }));
  EXPECT_EQ(sentence, "broker:1 ended the connection: server shutting down (reason 0x8b); it is tried again");
}

TEST_F(MqttClientTest, SaysDisconnectWhenItGoes) {
  connect();
  accept();
  client.reset();
  loop.run_ready();
  EXPECT_EQ(static_cast<unsigned char>(heard.at(0)), 0xE0U);
}

TEST_F(MqttClientTest, DropsAndCountsWhatExceedsThePostbox) {
  connect();
  accept();
  // The loop does not run while five messages of a megabyte come in.
  const std::string payload(1U << 20U, 'x');
  const std::size_t length = 2 + 1 + 1 + payload.size();
  std::string packet{"\x30", 1};
  for (std::size_t rest = length; rest > 0; rest >>= 7U) packet.push_back(static_cast<char>((rest & 127U) | (rest > 127 ? 128U : 0U)));
  packet += std::string{"\x00\x01t\x00", 4} + payload;
  for (int i = 0; i < 5; ++i) {
    for (std::size_t sent = 0; sent < packet.size();) {
      const auto count = ::write(broker.get(), packet.data() + sent, packet.size() - sent);
      if (count > 0) sent += static_cast<std::size_t>(count);
    }
  }
  while (client->received_dropped() < 2) std::this_thread::yield();  // Paho's thread is real
  EXPECT_EQ(client->received_dropped(), 2U);  // the topic counts, so only three fit into 4 MiB
  ASSERT_TRUE(loop.run_until([&] { return received.size() == 3; }));
}

}  // namespace
}  // namespace fieldpost
