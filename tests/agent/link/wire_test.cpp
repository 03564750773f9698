// SPDX-License-Identifier: Apache-2.0
#include "agent/link/wire.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

#include "agent/link/socket_address.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/manual_event_loop.hpp"

namespace fieldpost {
namespace {

std::span<const std::uint8_t> bytes(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
std::string text(const ByteQueue& queue) { return {queue.front().begin(), queue.front().end()}; }

struct WireTest : testing::Test {
  WireTest() {
    auto pair = make_socket_pair();
    peer = std::move(pair->theirs);
    wire = std::make_unique<Wire>(loop, std::move(pair->ours), Wire::Bounds{1'000, 50'000'000});
    wire->on_change([this] { ++changes; });
  }
  ManualClock clock;
  ManualEventLoop loop{clock};
  FileDescriptor peer;
  std::unique_ptr<Wire> wire;
  int changes = 0;
};

TEST_F(WireTest, SendsWhatIsQueuedAndReceivesWhatComes) {
  wire->outgoing().push(bytes("ping"));
  wire->pump();
  std::string got(10, '\0');
  ASSERT_EQ(::read(peer.get(), got.data(), got.size()), 4);
  EXPECT_EQ(got.substr(0, 4), "ping");
  ASSERT_EQ(::write(peer.get(), "pong", 4), 4);
  loop.run_ready();
  EXPECT_EQ(text(wire->incoming()), "pong");
  EXPECT_EQ(wire->bytes_sent(), 4U);
  EXPECT_EQ(wire->bytes_received(), 4U);
  EXPECT_EQ(changes, 1);
}

TEST_F(WireTest, StopsReadingAtItsBoundAndGoesOnWhenThereIsRoom) {
  wire->pump();
  const std::string much(2'500, 'x');
  ASSERT_EQ(::write(peer.get(), much.data(), much.size()), 2'500);
  loop.run_ready();  // would never end if a full queue were still watched
  EXPECT_EQ(wire->incoming().size(), 1'000U);
  EXPECT_EQ(loop.watches(), 0U);
  std::size_t total = 0;
  while (!wire->incoming().empty()) {
    total += wire->incoming().size();
    wire->incoming().clear();
    wire->pump();
    loop.run_ready();
  }
  EXPECT_EQ(total, 2'500U);
}

TEST_F(WireTest, KeepsWhatTheSocketDoesNotTakeAndSendsItLater) {
  const std::string much(30'000'000, 'y');
  wire->outgoing().push(bytes(much));
  wire->pump();
  loop.run_ready();  // the socket is full: no busy loop
  EXPECT_GT(wire->outgoing().size(), 0U);
  std::string sink(1'000'000, '\0');
  std::size_t total = 0;
  while (total < much.size()) {
    const auto count = ::read(peer.get(), sink.data(), sink.size());
    if (count > 0) total += static_cast<std::size_t>(count);
    loop.run_ready();
  }
  EXPECT_TRUE(wire->outgoing().empty());
  EXPECT_EQ(wire->bytes_sent(), much.size());
}

TEST_F(WireTest, TellsTheEndOfThePeerOnceAndDoesNotSpin) {
  wire->pump();
  ASSERT_EQ(::write(peer.get(), "last", 4), 4);
  ::shutdown(peer.get(), SHUT_WR);
  loop.run_ready();
  EXPECT_TRUE(wire->peer_finished());
  EXPECT_EQ(text(wire->incoming()), "last");
  EXPECT_EQ(loop.watches(), 0U);
  // the other half is open still
  wire->outgoing().push(bytes("bye"));
  wire->pump();
  char got[4] = {};
  EXPECT_EQ(::read(peer.get(), got, sizeof got), 3);
}

TEST_F(WireTest, FinishesOnlyAfterAllWasSent) {
  wire->outgoing().push(bytes("bye"));
  wire->finish();
  EXPECT_TRUE(wire->finished());
  char got[8] = {};
  EXPECT_EQ(::read(peer.get(), got, sizeof got), 3);
  EXPECT_EQ(::read(peer.get(), got, sizeof got), 0);
}

TEST_F(WireTest, ReportsABrokenSocketAsFailure) {
  wire->pump();
  peer.close();
  wire->outgoing().push(bytes("into the void"));
  wire->pump();
  ASSERT_TRUE(wire->failure());
  EXPECT_EQ(wire->failure()->kind(), ErrorKind::Io);
  EXPECT_EQ(loop.watches(), 0U);
}

TEST_F(WireTest, MayBeDestroyedByItsListener) {
  wire->on_change([this] { wire.reset(); });
  wire->pump();
  ASSERT_EQ(::write(peer.get(), "x", 1), 1);
  loop.run_ready();
  EXPECT_FALSE(wire);
  EXPECT_EQ(loop.watches(), 0U);
}

}  // namespace
}  // namespace fieldpost
