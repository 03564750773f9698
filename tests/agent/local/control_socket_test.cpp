// SPDX-License-Identifier: Apache-2.0
// A real Unix socket with a loop moved by hand, and clients that behave badly.
#include "agent/local/control_socket.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "platform/unix_socket.hpp"
#include "tests/support/collecting_log.hpp"
#include "tests/support/manual_event_loop.hpp"
#include "tests/support/temporary_directory.hpp"

namespace fieldpost {
namespace {

class ControlSocketTest : public testing::Test {
 protected:
  ControlSocketTest() {
    control_.emplace(loop_, log_.log(), listen_unix(path_).value());
    control_->answer("status", [] { return std::string{"{\"ok\":true}"}; });
  }

  FileDescriptor connect() {
    auto connection = connect_unix(path_).value();
    loop_.run_ready();
    return connection;
  }
  void say(const FileDescriptor& connection, const std::string& text) {
    ASSERT_EQ(::send(connection.get(), text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
    loop_.run_ready();
  }
  /// What has arrived; nothing once the other end is closed and empty.
  std::optional<std::string> hear(const FileDescriptor& connection) {
    loop_.run_ready();
    std::array<char, 4096> buffer{};
    const ssize_t count = ::recv(connection.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (count == 0 || (count < 0 && errno == ECONNRESET)) return {};
    return std::string{buffer.data(), static_cast<std::size_t>(count < 0 ? 0 : count)};
  }

  TemporaryDirectory directory_;
  std::string path_ = directory_.file("control.sock");
  ManualClock clock_;
  ManualEventLoop loop_{clock_};
  CollectingLog log_{clock_};
  std::optional<ControlSocket> control_;
};

TEST_F(ControlSocketTest, AnswersALineAndCloses) {
  const FileDescriptor client = connect();
  say(client, "status\n");
  EXPECT_EQ(hear(client), "{\"ok\":true}\n");
  EXPECT_EQ(hear(client), std::nullopt);
  EXPECT_EQ(control_->clients(), 0U);
}

TEST_F(ControlSocketTest, WaitsForTheRestOfALine) {
  const FileDescriptor client = connect();
  say(client, "sta");
  EXPECT_EQ(hear(client), "");
  say(client, "tus\nand more");
  EXPECT_EQ(hear(client), "{\"ok\":true}\n");
}

TEST_F(ControlSocketTest, TellsWhatCanBeAskedWithoutEchoingWhatWas) {
  const FileDescriptor client = connect();
  say(client, "\x1b[2Jevil\n");
  EXPECT_EQ(hear(client), "{\"error\":\"unknown request; there are: status\"}\n");
}

TEST_F(ControlSocketTest, TakesALineAtItsBoundAndRefusesOneByteMore) {
  const FileDescriptor at_bound = connect();
  say(at_bound, std::string(ControlSocket::kRequestBytesMax - 1, 'x') + "\n");
  EXPECT_EQ(hear(at_bound), "{\"error\":\"unknown request; there are: status\"}\n");
  const FileDescriptor beyond = connect();
  say(beyond, std::string(ControlSocket::kRequestBytesMax, 'x'));
  EXPECT_EQ(hear(beyond), "{\"error\":\"the request is too long\"}\n");
}

TEST_F(ControlSocketTest, MayTakeWhateverElseIsAskedUpToItsOwnBound) {
  control_->answer_others(10'000, [](std::string_view request) { return std::to_string(request.size()); });
  const FileDescriptor known = connect();
  say(known, "status\n");
  EXPECT_EQ(hear(known), "{\"ok\":true}\n");
  const FileDescriptor at_bound = connect();
  say(at_bound, std::string(9'999, 'x') + "\n");
  EXPECT_EQ(hear(at_bound), "9999\n");
  const FileDescriptor beyond = connect();
  say(beyond, std::string(10'000, 'x'));
  EXPECT_EQ(hear(beyond), "{\"error\":\"the request is too long\"}\n");
}

TEST_F(ControlSocketTest, DropsAClientThatSaysNothing) {
  const FileDescriptor client = connect();
  EXPECT_EQ(control_->clients(), 1U);
  loop_.advance(ControlSocket::kClientTime);
  EXPECT_EQ(control_->clients(), 0U);
  EXPECT_EQ(hear(client), std::nullopt);
}

TEST_F(ControlSocketTest, DropsAClientThatTakesItsAnswerTooSlowly) {
  control_->answer("big", [] { return std::string(900'000, 'x'); });
  const FileDescriptor client = connect();
  say(client, "big\n");
  EXPECT_EQ(control_->clients(), 1U);
  loop_.advance(ControlSocket::kClientTime);
  EXPECT_EQ(control_->clients(), 0U);
}

TEST_F(ControlSocketTest, ForgetsAClientThatHangsUp) {
  { const FileDescriptor client = connect(); }
  loop_.run_ready();
  EXPECT_EQ(control_->clients(), 0U);
}

TEST_F(ControlSocketTest, ServesClientsUpToItsBoundAndRefusesMore) {
  std::vector<FileDescriptor> clients;
  for (std::size_t i = 0; i < ControlSocket::kClientsMax; ++i) clients.push_back(connect());
  EXPECT_EQ(control_->clients(), ControlSocket::kClientsMax);
  const FileDescriptor one_more = connect();
  EXPECT_EQ(control_->clients(), ControlSocket::kClientsMax);
  EXPECT_EQ(control_->refused(), 1U);
  EXPECT_EQ(hear(one_more), std::nullopt);
  say(clients[0], "status\n");
  EXPECT_EQ(hear(clients[0]), "{\"ok\":true}\n");
}

TEST_F(ControlSocketTest, DoesNotSendAnAnswerBeyondItsBound) {
  control_->answer("huge", [] { return std::string(ControlSocket::kAnswerBytesMax + 1, 'x'); });
  const FileDescriptor client = connect();
  say(client, "huge\n");
  EXPECT_EQ(hear(client), "{\"error\":\"the answer is too long\"}\n");
}

TEST_F(ControlSocketTest, LeavesNoTimerBehind) {
  const FileDescriptor client = connect();
  say(client, "status\n");
  EXPECT_EQ(loop_.timers(), 0U);
  EXPECT_EQ(loop_.watches(), 1U);
}

}  // namespace
}  // namespace fieldpost
