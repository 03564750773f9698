// SPDX-License-Identifier: Apache-2.0
// The conversation step by step, and its times. With a real server over TLS: tests/end_to_end/test_est.py.
#include "agent/cloud/est_authority.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "tests/support/manual_clock.hpp"
#include "tests/support/manual_event_loop.hpp"

namespace fieldpost {
namespace {

const std::string kRequest = "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\nBBBB\n-----END CERTIFICATE REQUEST-----\n";

/// Keeps what is asked; the test answers.
struct FakeHttp final : HttpClient {
  struct Open final : HttpExchange {
    void pause() override {}
    void resume() override {}
  };
  Result<std::unique_ptr<HttpExchange>> fetch(HttpRequest request, HttpReceiver given) override {
    asked.push_back(std::move(request));
    receiver = std::move(given);
    return std::unique_ptr<HttpExchange>{std::make_unique<Open>()};
  }
  void say(int status, const std::string& type, const std::string& body, std::optional<seconds> retry_after = {}) {
    HttpHead head;
    head.status = status;
    head.content_type = type;
    head.retry_after = retry_after;
    ASSERT_TRUE(receiver.head(head));
    ASSERT_TRUE(receiver.body(body));
    const auto done = receiver.done;
    done(head);
  }
  void fail(ErrorKind kind) {
    const auto done = receiver.done;
    done(Error{kind, "no"});
  }

  std::vector<HttpRequest> asked;
  HttpReceiver receiver;
};

struct EstAuthorityTest : testing::Test {
  void ask() {
    ASSERT_TRUE(est.ask(kRequest, [this](Result<std::string> answer) { answers.push_back(std::move(answer)); }));
  }
  void give_authorities() { http.say(200, "application/pkcs7-mime", "BAG"); }

  ManualClock clock;
  ManualEventLoop loop{clock};
  FakeHttp http;
  EstAuthority est{loop, http, {.url = "https://ca.example:8443/", .username = "u", .password = "p"}};
  std::vector<Result<std::string>> answers;
};

TEST_F(EstAuthorityTest, AsksForTheAuthoritiesAndThenForTheCertificate) {
  ask();
  ASSERT_EQ(http.asked.size(), 1U);
  EXPECT_EQ(http.asked[0].url, "https://ca.example:8443/.well-known/est/cacerts");
  EXPECT_EQ(http.asked[0].username, "");
  give_authorities();
  ASSERT_EQ(http.asked.size(), 2U);
  EXPECT_EQ(http.asked[1].url, "https://ca.example:8443/.well-known/est/simpleenroll");
  EXPECT_TRUE(http.asked[1].post);
  EXPECT_EQ(http.asked[1].content_type, "application/pkcs10");
  EXPECT_EQ(http.asked[1].body, "AAAABBBB");
  EXPECT_EQ(http.asked[1].username, "u");
}

TEST_F(EstAuthorityTest, APathOfItsOwnIsKeptAndARenewalSaysSo) {
  EstAuthority renewal{loop, http, {.url = "https://ca.example/est/line-2", .username = {}, .password = {}, .renewal = true}};
  ASSERT_TRUE(renewal.ask(kRequest, {}));
  EXPECT_EQ(http.asked[0].url, "https://ca.example/est/line-2/cacerts");
  give_authorities();
  EXPECT_EQ(http.asked[1].url, "https://ca.example/est/line-2/simplereenroll");
}

TEST_F(EstAuthorityTest, WaitsAsLongAsTheServerSaysHoweverOftenItIsAsked) {
  ask();
  give_authorities();
  http.say(202, "text/plain", "", seconds{7200});
  EXPECT_TRUE(answers.empty());
  EXPECT_TRUE(est.waits());
  loop.advance(seconds{3600});
  ask();
  EXPECT_EQ(http.asked.size(), 2U);
  loop.advance(seconds{3600});
  EXPECT_EQ(http.asked.size(), 3U);
}

TEST_F(EstAuthorityTest, APauseIsNoShorterThanASecondAndNoLongerThanADay) {
  ask();
  http.say(503, "text/html", "busy", seconds{0});
  EXPECT_EQ(http.asked.size(), 1U);
  loop.advance(EstAuthority::kPauseMin);
  EXPECT_EQ(http.asked.size(), 2U);
  http.say(429, "text/html", "busy", seconds{10'000'000});
  loop.advance(EstAuthority::kPauseMax);
  EXPECT_EQ(http.asked.size(), 3U);
}

TEST_F(EstAuthorityTest, WhatPassesIsUnavailableAndWhatDoesNotIsDenied) {
  struct Case {
    int status;
    ErrorKind kind;
  };
  for (const Case& one : {Case{500, ErrorKind::Unavailable}, Case{429, ErrorKind::Unavailable}, Case{401, ErrorKind::Denied},
                          Case{403, ErrorKind::Denied}, Case{404, ErrorKind::Denied}, Case{200, ErrorKind::Malformed}}) {
    answers.clear();
    ask();
    http.say(one.status, "text/plain", "line\none");
    ASSERT_EQ(answers.size(), 1U);
    EXPECT_EQ(answers[0].error().kind(), one.kind) << one.status;
    if (one.status != 200) {
      EXPECT_NE(answers[0].error().sentence().find(": line one"), std::string::npos);
    }
  }
  for (const ErrorKind kind : {ErrorKind::Timeout, ErrorKind::Io, ErrorKind::NotPresent, ErrorKind::Unavailable}) {
    answers.clear();
    ask();
    http.fail(kind);
    EXPECT_EQ(answers[0].error().kind(), ErrorKind::Unavailable);
  }
  ask();
  http.fail(ErrorKind::Denied);
  EXPECT_EQ(answers.back().error().kind(), ErrorKind::Denied);
}

TEST_F(EstAuthorityTest, ABagThatIsNoneIsMalformed) {
  ask();
  give_authorities();
  http.say(200, "application/pkcs7-mime; smime-type=certs-only", "BAG");
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0].error().kind(), ErrorKind::Malformed);
}

}  // namespace
}  // namespace fieldpost
