// SPDX-License-Identifier: Apache-2.0
// The exchange over loopback in virtual time, without TLS: what the server says is the test's. With TLS and a real server:
// tests/end_to_end/test_est.py.
#include "agent/link/http_fetch.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <optional>

#include "platform/file_descriptor.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/manual_event_loop.hpp"

namespace fieldpost {
namespace {

HttpOptions without_tls() {
  HttpOptions options;
  options.plaintext_allowed = true;
  return options;
}

struct HttpFetchTest : testing::Test {
  HttpFetchTest() {
    listener = FileDescriptor{::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
    ::listen(listener.get(), 4);
    socklen_t length = sizeof address;
    ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &length);
    place = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
    request.url = place + "/file";
  }
  void fetch() {
    HttpReceiver receiver;
    receiver.head = [this](const HttpHead& head) {
      heads.push_back(head.status);
      return head_answer;
    };
    receiver.body = [this](std::string_view piece) {
      body += piece;
      if (pausing) exchange->pause();
      return Result<void>{};
    };
    receiver.done = [this](Result<HttpHead> outcome) {
      done.emplace(std::move(outcome));
      exchange.reset();
    };
    exchange = std::move(*client->fetch(request, std::move(receiver)));
    loop.run_ready();
  }
  /// The next connection, and what was asked on it.
  FileDescriptor server() {
    FileDescriptor peer{::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)};
    EXPECT_TRUE(peer);
    loop.run_ready();
    std::array<char, 4096> text{};
    const ssize_t count = ::read(peer.get(), text.data(), text.size());
    asked.assign(text.data(), count > 0 ? static_cast<std::size_t>(count) : 0);
    return peer;
  }
  void say(const FileDescriptor& peer, const std::string& text) {
    ASSERT_EQ(::write(peer.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
    loop.run_ready();
  }

  ManualClock clock;
  ManualEventLoop loop{clock};
  FileDescriptor listener;
  std::string place;
  HttpRequest request;
  std::unique_ptr<HttpClient> client = make_http_client(loop, without_tls());
  std::vector<int> heads;
  Result<void> head_answer;
  std::string body;
  std::string asked;
  bool pausing = false;
  std::optional<Result<HttpHead>> done;
  std::unique_ptr<HttpExchange> exchange;
};

TEST_F(HttpFetchTest, TheBodyStreamsAndTheEndIsTold) {
  fetch();
  const auto peer = server();
  EXPECT_TRUE(asked.starts_with("GET /file HTTP/1.1\r\n")) << asked;
  say(peer, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc");
  EXPECT_EQ(body, "abc");
  EXPECT_FALSE(done);
  say(peer, "def");
  ASSERT_TRUE(done && *done);
  EXPECT_EQ((*done)->status, 200);
  EXPECT_EQ(body, "abcdef");
  EXPECT_EQ(heads, std::vector<int>{200});
  EXPECT_EQ(loop.timers(), 0U);
}

TEST_F(HttpFetchTest, WhatIsCutOffIsNotWhole) {
  fetch();
  {
    const auto peer = server();
    say(peer, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc");
  }
  loop.run_ready();
  ASSERT_TRUE(done);
  EXPECT_EQ(done->error().kind(), ErrorKind::Io);
}

TEST_F(HttpFetchTest, AServerThatIsSilentIsLeft) {
  request.silence_max = seconds{5};
  fetch();
  const auto peer = server();
  say(peer, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\na");
  loop.advance(seconds{4});
  say(peer, "b");
  loop.advance(seconds{4});
  EXPECT_FALSE(done);
  loop.advance(seconds{2});
  ASSERT_TRUE(done);
  EXPECT_EQ(done->error().kind(), ErrorKind::Timeout);
}

TEST_F(HttpFetchTest, AServerThatSendsAByteNowAndThenIsLeftInTheEnd) {
  request.timeout = seconds{60};
  fetch();
  const auto peer = server();
  say(peer, "HTTP/1.1 200 OK\r\nContent-Length: 600\r\n\r\n");
  for (int i = 0; i < 5 && !done; ++i) {
    loop.advance(seconds{11});
    say(peer, "x");
  }
  EXPECT_FALSE(done);
  loop.advance(seconds{6});
  ASSERT_TRUE(done);
  EXPECT_EQ(done->error().kind(), ErrorKind::Timeout);
}

TEST_F(HttpFetchTest, TheReceiverMayRefuseTheHead) {
  head_answer = Error{ErrorKind::OutOfRange, "not that"};
  fetch();
  const auto peer = server();
  say(peer, "HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nabc");
  ASSERT_TRUE(done);
  EXPECT_EQ(done->error().sentence(), "not that");
  EXPECT_EQ(body, "");
}

TEST_F(HttpFetchTest, APausedReceiverHoldsTheServerBack) {
  request.body_bytes_max = 8U << 20U;
  pausing = true;
  fetch();
  const auto peer = server();
  say(peer, "HTTP/1.1 200 OK\r\nContent-Length: 4000000\r\n\r\n");
  const std::string block(50'000, 'x');
  std::size_t sent = 0;
  while (sent < 4'000'000) {
    const ssize_t count = ::write(peer.get(), block.data(), std::min(block.size(), 4'000'000 - sent));
    if (count <= 0) break;
    sent += static_cast<std::size_t>(count);
    loop.run_ready();
  }
  EXPECT_LE(body.size(), 64U << 10U);
  loop.advance(request.silence_max - seconds{1});
  EXPECT_FALSE(done);
  pausing = false;
  while (!done) {
    if (exchange) exchange->resume();
    loop.run_ready();
    const ssize_t count = sent < 4'000'000 ? ::write(peer.get(), block.data(), std::min(block.size(), 4'000'000 - sent)) : 0;
    if (count > 0) sent += static_cast<std::size_t>(count);
  }
  EXPECT_TRUE(*done);
  EXPECT_EQ(body.size(), 4'000'000U);
}

TEST_F(HttpFetchTest, RedirectsAreFollowedUpToTheirBoundWithoutThePassword) {
  request.redirects_max = 1;
  request.username = "u";
  fetch();
  const auto first = server();
  EXPECT_NE(asked.find("Authorization"), std::string::npos);
  say(first, "HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 4\r\n\r\nhere");
  const auto second = server();
  EXPECT_TRUE(asked.starts_with("GET /other ")) << asked;
  EXPECT_NE(asked.find("Authorization"), std::string::npos);  // the same server
  say(second, "HTTP/1.1 302 Found\r\nLocation: /third\r\nContent-Length: 0\r\n\r\n");
  ASSERT_TRUE(done);
  EXPECT_EQ(done->error().kind(), ErrorKind::Denied);
  EXPECT_TRUE(heads.empty());
  EXPECT_EQ(body, "");
}

TEST_F(HttpFetchTest, APasswordGoesToNoOtherServer) {
  request.redirects_max = 1;
  request.username = "u";
  fetch();
  const auto first = server();
  const std::string elsewhere = "http://localhost" + place.substr(place.rfind(':')) + "/x";
  say(first, "HTTP/1.1 307 Found\r\nLocation: " + elsewhere + "\r\nContent-Length: 0\r\n\r\n");
  std::optional<FileDescriptor> second;
  ASSERT_TRUE(loop.run_until([&] {
    FileDescriptor peer{::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)};
    if (peer) second.emplace(std::move(peer));
    return second || done;
  }));
  if (!second) GTEST_SKIP() << "SKIPPED: localhost does not resolve here";
  loop.run_ready();
  std::array<char, 4096> text{};
  ASSERT_GT(::read(second->get(), text.data(), text.size()), 0);
  EXPECT_EQ(std::string{text.data()}.find("Authorization"), std::string::npos);
}

TEST_F(HttpFetchTest, WhatIsPostedIsNotSentOnAsSomethingElse) {
  request.post = true;
  request.content_type = "text/plain";
  request.body = std::string(100'000, 'p');
  request.redirects_max = 3;
  fetch();
  const auto peer = server();
  EXPECT_TRUE(asked.starts_with("POST /file ")) << asked;
  say(peer, "HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n");
  ASSERT_TRUE(done);
  EXPECT_EQ(done->error().kind(), ErrorKind::Denied);
}

TEST_F(HttpFetchTest, DestroyingTheExchangeGivesUp) {
  fetch();
  const auto peer = server();
  exchange.reset();
  loop.run_ready();
  EXPECT_EQ(loop.timers(), 0U);
  EXPECT_FALSE(done);
}

TEST_F(HttpFetchTest, NobodyThereIsSaid) {
  listener = FileDescriptor{};
  fetch();
  ASSERT_TRUE(done);
  EXPECT_EQ(done->error().kind(), ErrorKind::Unavailable);
}

TEST_F(HttpFetchTest, WithoutTlsOnlyWhereThatIsAllowed) {
  const auto strict = make_http_client(loop, {});
  EXPECT_EQ(strict->fetch(request, {}).error().kind(), ErrorKind::OutOfRange);
}

}  // namespace
}  // namespace fieldpost
