// SPDX-License-Identifier: Apache-2.0
// The asking side, against a server on another thread.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <string>
#include <thread>

#include "agent/local/control_socket.hpp"
#include "platform/unix_socket.hpp"
#include "tests/support/temporary_directory.hpp"

namespace fieldpost {
namespace {

/// Accepts one client, reads its request and says `answer`; keeps the connection while `holds`.
class OneAnswer {
 public:
  OneAnswer(const std::string& path, std::string answer)
      : listener_{listen_unix(path).value()}, answer_{std::move(answer)} {
    thread_ = std::thread{[this] { serve(); }};
  }
  ~OneAnswer() { thread_.join(); }
  std::string request;

 private:
  void serve() {
    pollfd waiting{listener_.get(), POLLIN, 0};
    if (::poll(&waiting, 1, 10'000) != 1) return;
    const FileDescriptor client = accept_unix(listener_).value();
    pollfd reading{client.get(), POLLIN, 0};
    if (::poll(&reading, 1, 10'000) != 1) return;
    std::array<char, 256> buffer{};
    const ssize_t count = ::recv(client.get(), buffer.data(), buffer.size(), 0);
    if (count > 0) request.assign(buffer.data(), static_cast<std::size_t>(count));
    std::size_t sent = 0;
    while (sent < answer_.size()) {
      pollfd writing{client.get(), POLLOUT, 0};
      if (::poll(&writing, 1, 10'000) != 1) return;
      const ssize_t written =
          ::send(client.get(), answer_.data() + sent, answer_.size() - sent, MSG_NOSIGNAL);
      if (written <= 0) return;
      sent += static_cast<std::size_t>(written);
    }
  }

  FileDescriptor listener_;
  std::string answer_;
  std::thread thread_;
};

TEST(AskControlSocket, GivesTheAnswersLine) {
  const TemporaryDirectory directory;
  const std::string path = directory.file("s");
  std::string request;
  {
    OneAnswer server{path, "{\"a\":1}\n"};
    const auto answer = ask_control_socket(path, "status", milliseconds{10'000});
    ASSERT_TRUE(answer) << answer.error().sentence();
    EXPECT_EQ(*answer, "{\"a\":1}");
  }
}

TEST(AskControlSocket, TakesALongAnswerAndRefusesAnEndlessOne) {
  const TemporaryDirectory directory;
  {
    OneAnswer server{directory.file("a"), std::string(ControlSocket::kAnswerBytesMax, 'x') + "\n"};
    EXPECT_EQ(ask_control_socket(directory.file("a"), "status", milliseconds{10'000}).value().size(),
              ControlSocket::kAnswerBytesMax);
  }
  {
    OneAnswer server{directory.file("b"), std::string(2 * ControlSocket::kAnswerBytesMax, 'x')};
    const auto endless = ask_control_socket(directory.file("b"), "status", milliseconds{10'000});
    ASSERT_FALSE(endless);
    EXPECT_EQ(endless.error().kind(), ErrorKind::Malformed);
  }
}

TEST(AskControlSocket, SaysWhenTheAgentClosesWithoutAnAnswer) {
  const TemporaryDirectory directory;
  OneAnswer server{directory.file("s"), ""};
  const auto answer = ask_control_socket(directory.file("s"), "status", milliseconds{10'000});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind(), ErrorKind::Malformed);
}

TEST(AskControlSocket, SaysWhenNobodyListens) {
  const TemporaryDirectory directory;
  const auto answer = ask_control_socket(directory.file("s"), "status", milliseconds{100});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind(), ErrorKind::NotPresent);
}

TEST(AskControlSocket, GivesUpOnAnAgentThatDoesNotAnswer) {
  const TemporaryDirectory directory;
  const FileDescriptor listener = listen_unix(directory.file("s")).value();
  const auto answer = ask_control_socket(directory.file("s"), "status", milliseconds{10});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind(), ErrorKind::Timeout);
}

}  // namespace
}  // namespace fieldpost
