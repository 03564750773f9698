// SPDX-License-Identifier: Apache-2.0
#include "agent/link/http_message.hpp"

#include <gtest/gtest.h>

namespace fieldpost {
namespace {

constexpr std::uint64_t kMax = 1000;

struct Read {
  HttpAnswer answer;
  std::string body;
  Result<HttpAnswer::Want> last{HttpAnswer::Want::more};

  void take(std::string_view bytes) {
    last = answer.take(bytes, kMax, [this](std::string_view piece) {
      body += piece;
      return Result<void>{};
    });
  }
  bool done() const { return last && *last == HttpAnswer::Want::done; }
};

/// The same answer in one piece, and byte by byte.
Read read(std::string_view text, bool by_byte) {
  Read read;
  if (!by_byte) read.take(text);
  for (std::size_t i = 0; by_byte && i < text.size() && read.last; ++i) read.take(text.substr(i, 1));
  return read;
}

TEST(HttpMessage, AnAnswerInAnyPiecesIsTheSame) {
  const std::string text =
      "HTTP/1.1 206 Partial Content\r\ncontent-type: text/plain\r\nETag: \"a1\"\r\nContent-Range: bytes 7-11/500\r\nContent-Length:  5 \r\n"
      "Retry-After: 120\r\nX-Other: y\r\n\r\nhello";
  for (const bool by_byte : {false, true}) {
    const Read got = read(text, by_byte);
    ASSERT_TRUE(got.done());
    EXPECT_EQ(got.body, "hello");
    const auto& head = got.answer.head();
    EXPECT_EQ(head.status, 206);
    EXPECT_EQ(head.content_type, "text/plain");
    EXPECT_EQ(head.etag, "\"a1\"");
    EXPECT_EQ(head.range_first, 7U);
    EXPECT_EQ(head.range_total, 500U);
    EXPECT_EQ(head.content_length, 5U);
    EXPECT_EQ(head.retry_after, seconds{120});
  }
}

TEST(HttpMessage, ChunksAreJoinedAndTheirTrailerIsPassedOver) {
  const std::string text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nDigest: z\r\n\r\n";
  for (const bool by_byte : {false, true}) {
    const Read got = read(text, by_byte);
    ASSERT_TRUE(got.done());
    EXPECT_EQ(got.body, "abc0123456789");
  }
}

TEST(HttpMessage, AnAnswerToWaitAfterIsPassedOver) {
  const Read got = read("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", false);
  EXPECT_TRUE(got.done());
  EXPECT_EQ(got.answer.head().status, 204);
}

TEST(HttpMessage, WhatEndsWithTheConnectionIsWholeOnlyIfThatEndsInOrder) {
  Read got = read("HTTP/1.0 200 OK\r\n\r\nabc", false);
  EXPECT_FALSE(got.done());
  EXPECT_EQ(got.body, "abc");
  EXPECT_TRUE(got.answer.end(true));
  EXPECT_EQ(got.answer.end(false).error().kind(), ErrorKind::Io);
  got = read("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc", false);
  EXPECT_EQ(got.answer.end(true).error().kind(), ErrorKind::Io);
  got = read("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", false);
  EXPECT_EQ(got.answer.end(true).error().kind(), ErrorKind::Io);
}

TEST(HttpMessage, WhatIsNotHttpIsRefused) {
  const std::string ok = "HTTP/1.1 200 OK\r\n";
  const std::string chunked = ok + "Transfer-Encoding: chunked\r\n\r\n";
  for (const std::string& text : {
           std::string{"SSH-2.0-x\r\n\r\n"}, std::string{"HTTP/1.1 2x0\r\n\r\n"}, std::string{"HTTP/1.1 \r\n\r\n"}, std::string{"HTTP/2\r\n\r\n"},
           ok + "no colon\r\n\r\n", ok + ": nameless\r\n\r\n", ok + "A: b\r\n folded\r\n\r\n", ok + "Content-Length: -1\r\n\r\n",
           ok + "Content-Length: 5x\r\n\r\n", ok + "Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
           ok + "Content-Length: 99999999999999999999\r\n\r\n", ok + "Transfer-Encoding: gzip, chunked\r\n\r\n",
           ok + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", ok + "Content-Encoding: gzip\r\n\r\n", chunked + "x\r\n",
           chunked + "-1\r\n", chunked + "11111111111111111\r\n", chunked + "3\r\nabcd\r\n", chunked + "\r\n", chunked + "3\nabc",
           std::string(HttpAnswer::kHeadBytesMax + 1, 'H'), ok + "A: " + std::string(HttpAnswer::kHeadBytesMax, 'b'),
           chunked + std::string(2000, '0')}) {
    for (const bool by_byte : {false, true}) {
      const Read got = read(text, by_byte);
      ASSERT_FALSE(got.last) << text;
      EXPECT_EQ(got.last.error().kind(), ErrorKind::Malformed) << text;
    }
  }
}

TEST(HttpMessage, ABodyIsTakenUpToItsBoundAndNotAByteMore) {
  EXPECT_TRUE(read("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + std::string(1000, 'x'), false).done());
  for (const bool by_byte : {false, true}) {
    const Read got = read("HTTP/1.1 200 OK\r\n\r\n" + std::string(1001, 'x'), by_byte);
    ASSERT_FALSE(got.last);
    EXPECT_EQ(got.last.error().kind(), ErrorKind::Full);
    EXPECT_LE(got.body.size(), kMax);
  }
}

TEST(HttpMessage, ARequestSaysWhatIsAsked) {
  HttpRequest request;
  request.range = HttpRange{10, 19};
  request.if_range = "\"a1\"";
  request.username = "Aladdin";
  request.password = "open sesame";
  EXPECT_EQ(*http_request_text(request, *parse_http_url("https://h/a?b=c", false)),
            "GET /a?b=c HTTP/1.1\r\nHost: h\r\nUser-Agent: fieldpost\r\nConnection: close\r\n"
            "Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\nRange: bytes=10-19\r\nIf-Range: \"a1\"\r\n\r\n");
  request = {};
  request.post = true;
  request.content_type = "text/plain";
  request.body = "hi";
  EXPECT_EQ(*http_request_text(request, *parse_http_url("http://[::1]:8080", true)),
            "POST / HTTP/1.1\r\nHost: [::1]:8080\r\nUser-Agent: fieldpost\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi");
  request.content_type = "a\r\nX: y";
  EXPECT_FALSE(http_request_text(request, *parse_http_url("https://h", false)));
}

TEST(HttpMessage, ARedirectLeadsWhereItSaysButNotOutOfTls) {
  const HttpUrl from = *parse_http_url("https://h:8443/a/b?c", false);
  const auto to = [&](const char* location) {
    const auto url = redirected(from, location);
    return url ? url->at.text() + url->path : "-";
  };
  EXPECT_EQ(to("https://other/x#y"), "other:443/x");
  EXPECT_EQ(to("//other/x"), "other:443/x");
  EXPECT_EQ(to("/x"), "h:8443/x");
  EXPECT_EQ(to("x"), "h:8443/a/x");
  EXPECT_EQ(to("http://h/x"), "-");
  EXPECT_EQ(to("ftp://h/x"), "-");
  EXPECT_EQ(to("https://user@h/x"), "-");
}

}  // namespace
}  // namespace fieldpost
