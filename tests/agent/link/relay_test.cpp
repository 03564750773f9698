// SPDX-License-Identifier: Apache-2.0
// The relay between two socket pairs: the test plays Paho on one side and the broker on the other.
#include "agent/link/relay.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "agent/link/socket_address.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/manual_event_loop.hpp"

namespace fieldpost {
namespace {

/// Notes how long each record is.
class CountedRecords final : public RecordLayer {
 public:
  CountedRecords(ByteQueue& incoming, ByteQueue& outgoing, std::vector<std::size_t>& lengths) : plain_{incoming, outgoing}, lengths_{lengths} {}
  std::size_t write_max() const override { return plain_.write_max(); }
  Result<void> write(std::span<const std::uint8_t> plaintext) override {
    lengths_.push_back(plaintext.size());
    return plain_.write(plaintext);
  }
  Result<Read> read(ByteQueue& plaintext) override { return plain_.read(plaintext); }
  void close() override {}

 private:
  PlainRecords plain_;
  std::vector<std::size_t>& lengths_;
};

struct RelayTest : testing::Test {
  void make(std::optional<WebSocketHost> host = std::nullopt, std::optional<PacketGuard> guard = std::nullopt) {
    auto left = make_socket_pair();
    auto right = make_socket_pair();
    paho = std::move(left->theirs);
    broker = std::move(right->theirs);
    auto paho_wire = std::make_unique<Wire>(loop, std::move(left->ours), Wire::Bounds{400'000, 64'000});
    auto broker_wire = std::make_unique<Wire>(loop, std::move(right->ours), Wire::Bounds{64'000, 160'000});
    auto records = std::make_unique<CountedRecords>(broker_wire->incoming(), broker_wire->outgoing(), record_lengths);
    relay = std::make_unique<Relay>(std::move(paho_wire), std::move(broker_wire), std::move(records), std::move(host), guard);
    relay->start([this](Relay::End how) { end = std::move(how); });
  }
  std::string read_all(const FileDescriptor& from) {
    std::string all;
    for (;;) {
      loop.run_ready();
      std::string some(100'000, '\0');
      const auto count = ::read(from.get(), some.data(), some.size());
      if (count <= 0) return all;
      all.append(some, 0, static_cast<std::size_t>(count));
    }
  }
  static std::size_t fill(const FileDescriptor& to, std::size_t most) {
    const std::string chunk(50'000, 'z');
    std::size_t total = 0;
    while (total < most) {
      const auto count = ::send(to.get(), chunk.data(), std::min(chunk.size(), most - total), MSG_NOSIGNAL);
      if (count <= 0) break;
      total += static_cast<std::size_t>(count);
    }
    return total;
  }

  ManualClock clock;
  ManualEventLoop loop{clock};
  FileDescriptor paho;
  FileDescriptor broker;
  std::vector<std::size_t> record_lengths;
  std::unique_ptr<Relay> relay;
  std::optional<Relay::End> end;
};

TEST_F(RelayTest, CarriesBytesBothWays) {
  make();
  ASSERT_EQ(::write(paho.get(), "connect", 7), 7);
  EXPECT_EQ(read_all(broker), "connect");
  ASSERT_EQ(::write(broker.get(), "connack", 7), 7);
  EXPECT_EQ(read_all(paho), "connack");
  EXPECT_EQ(relay->bytes_sent(), 7U);
  EXPECT_EQ(relay->bytes_received(), 7U);
  EXPECT_FALSE(end);
}

TEST_F(RelayTest, MakesRecordsAsLongAsTheLinkMovesInAMoment) {
  make();
  const auto longest = [&](double rate) {
    if (rate > 0) relay->set_record_bytes(rate);
    record_lengths.clear();
    EXPECT_EQ(fill(paho, 50'000), 50'000U);
    EXPECT_EQ(read_all(broker).size(), 50'000U);
    return *std::max_element(record_lengths.begin(), record_lengths.end());
  };
  EXPECT_EQ(longest(0), Relay::kRecordBytesMin);  // nothing is known yet
  EXPECT_EQ(longest(8'000), Relay::kRecordBytesMin);
  EXPECT_EQ(longest(64'000), 4'000U);
  EXPECT_EQ(longest(1e9), Relay::kRecordBytesMax);
}

TEST_F(RelayTest, EndsBeforePahoHearsOfAPacketOf256MiB) {
  make(std::nullopt, PacketGuard{false});
  ASSERT_EQ(::write(broker.get(), "\x20\x03\0\0\0\x30\xff\xff\xff\x7fxxx", 13), 13);
  EXPECT_EQ(read_all(paho), "");
  ASSERT_TRUE(end && end->error);
  EXPECT_NE(end->error->sentence().find("268435455 bytes"), std::string::npos);
}

TEST_F(RelayTest, CarriesMoreThanAllItsBuffersHold) {
  make();
  const std::size_t size = fill(paho, 4'000'000);
  EXPECT_EQ(read_all(broker).size(), size);
}

TEST_F(RelayTest, TakesAWholeWindowFromPahoThoughTheBrokerTakesNothing) {
  make();
  // The broker's socket is filled to the brim first.
  while (fill(paho, 1'000'000) > 0) loop.run_ready();
  EXPECT_GE(relay->bytes_underway(), 400'000U);
  loop.run_ready();  // and no busy loop: this returns
  // As soon as the broker reads, all of it comes.
  EXPECT_GE(read_all(broker).size(), 400'000U);
  EXPECT_EQ(relay->bytes_underway(), 0U);
}

TEST_F(RelayTest, SendsEverythingBeforeItClosesAfterPahosEnd) {
  make();
  ASSERT_EQ(fill(paho, 200'000), 200'000U);
  paho.close();
  EXPECT_EQ(read_all(broker).size(), 200'000U);
  char byte = 0;
  EXPECT_EQ(::read(broker.get(), &byte, 1), 0);  // half closed: the broker may still speak
  EXPECT_FALSE(end);
  broker.close();
  loop.run_ready();
  ASSERT_TRUE(end);
  EXPECT_FALSE(end->by_peer);
  EXPECT_FALSE(end->error);
}

TEST_F(RelayTest, GivesPahoTheBrokersLastWordAndThenTheEnd) {
  make();
  ASSERT_EQ(::write(broker.get(), "disconnect: taken over", 22), 22);
  broker.close();
  EXPECT_EQ(read_all(paho), "disconnect: taken over");
  ASSERT_TRUE(end);
  EXPECT_TRUE(end->by_peer);
  char byte = 0;
  EXPECT_EQ(::read(paho.get(), &byte, 1), 0);
}

TEST_F(RelayTest, ClosesInOrderOnRequest) {
  make();
  ASSERT_EQ(::write(paho.get(), "bye", 3), 3);
  loop.run_ready();
  relay->close_in_order();
  EXPECT_EQ(read_all(broker), "bye");
  char byte = 0;
  EXPECT_EQ(::read(broker.get(), &byte, 1), 0);
}

TEST_F(RelayTest, PutsTheBrokersNameIntoTheWebSocketRequest) {
  make(WebSocketHost{"link-1.fieldpost.invalid", "broker.example"});
  const std::string request =
      "GET /mqtt HTTP/1.1\r\nHost: link-1.fieldpost.invalid:443\r\nOrigin: http://link-1.fieldpost.invalid:443\r\n\r\n"
      "link-1.fieldpost.invalid";
  ASSERT_EQ(::write(paho.get(), request.data(), 30), 30);  // in two pieces, cut inside the name
  EXPECT_EQ(read_all(broker), "");
  ASSERT_GT(::write(paho.get(), request.data() + 30, request.size() - 30), 0);
  EXPECT_EQ(read_all(broker),
            "GET /mqtt HTTP/1.1\r\nHost: broker.example:443\r\nOrigin: http://broker.example:443\r\n\r\n"
            "link-1.fieldpost.invalid");  // what follows the head is not ours to change
}

}  // namespace
}  // namespace fieldpost
