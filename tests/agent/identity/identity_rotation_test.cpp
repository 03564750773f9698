// SPDX-License-Identifier: Apache-2.0
// The renewal in virtual time, on a real directory. The authority and the broker's word on a new certificate are the test's.
#include "agent/identity/identity_rotation.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <vector>

#include "platform/durable_file.hpp"
#include "tests/agent/link/test_certificates_mbedtls.hpp"
#include "tests/support/collecting_log.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/manual_event_loop.hpp"
#include "tests/support/temporary_directory.hpp"

namespace fieldpost {
namespace {

using State = IdentityRotation::State;

struct FakeAuthority final : SigningAuthority {
  Result<void> ask(const std::string& request_pem, Answer given) override {
    if (!reachable) return Error{ErrorKind::Unavailable, "not connected"};
    requests.push_back(request_pem);
    answer = std::move(given);
    return {};
  }
  void tell_in_use(const DeviceCertificate& certificate, std::function<void(Result<void>)> done) override {
    ++tellings;
    if (refuses) return done(Error{ErrorKind::Denied, "not authorised"});
    if (reachable) told.push_back(certificate.serial);
    done(reachable ? Result<void>{} : Result<void>{Error{ErrorKind::Unavailable, "not connected"}});
  }

  bool reachable = true;
  bool refuses = false;
  int tellings = 0;
  std::vector<std::string> requests;
  std::vector<std::string> told;
  Answer answer;
};

struct IdentityRotationTest : testing::Test {
  IdentityRotationTest() {
    set_time(*from_rfc3339("2026-10-01T00:00:00Z"), true);
    options.subject = "CN=gw-1";
    options.authority = IdentityOptions::Authority::mqtt;
  }

  void set_time(UtcTime time, bool synchronised) {
    UtcReading utc;
    utc.time = time;
    utc.synchronised = synchronised;
    clock.set_utc(utc);
  }
  IdentityDirectory look() {
    auto opened = IdentityDirectory::open(place);
    EXPECT_TRUE(opened) << opened.error().sentence();
    return std::move(*opened);
  }
  /// What a CA would give for the key that waits: here key and certificate are changed together.
  std::string signed_answer(const std::string& not_after = "20280101000000") {
    const TestCertificate made = make_test_certificate({.name = "CN=gw-1", .not_before = "20260101000000", .not_after = not_after});
    EXPECT_TRUE(replace_file_durably(look().pending()->key_file, made.key, 0600));
    return made.certificate;
  }
  void use_one(const std::string& not_after) {
    IdentityDirectory identity = look();
    ASSERT_TRUE(identity.request(KeyKind::p256, "CN=gw-1"));
    ASSERT_TRUE(identity.install(signed_answer(not_after), *from_rfc3339("2026-02-01T00:00:00Z")));
    ASSERT_TRUE(identity.adopt());
  }
  void begin() {
    rotation = std::make_unique<IdentityRotation>(
        loop, log.log(), place, options, authority,
        [this](const IdentityDirectory::Generation& generation, std::function<void(Result<void>)> done) {
          proved.push_back(generation.number);
          prove_done = std::move(done);
        },
        [this] { ++reconnects; });
    rotation->start();
    pass(IdentityRotation::kFirstLook);
  }
  void pass(nanoseconds time) {
    loop.advance(time);
    ASSERT_TRUE(loop.run_until([this] { return rotation->status().state != State::working; }));
  }
  void settle() { ASSERT_TRUE(loop.run_until([this] { return rotation->status().state != State::working; })); }

  TemporaryDirectory directory;
  std::string place = directory.file("identity");
  ManualClock clock;
  ManualEventLoop loop{clock};
  CollectingLog log{clock};
  FakeAuthority authority;
  IdentityOptions options;
  std::vector<unsigned> proved;
  int reconnects = 0;
  std::function<void(Result<void>)> prove_done;
  std::unique_ptr<IdentityRotation> rotation;
};

TEST_F(IdentityRotationTest, DoesNothingWhileTheCertificateIsYoung) {
  use_one("20280101000000");
  begin();
  EXPECT_EQ(rotation->status().state, State::idle);
  EXPECT_EQ(rotation->status().certificate->subject, "CN=gw-1");
  pass(10 * IdentityRotation::kLookInterval);
  EXPECT_TRUE(authority.requests.empty());
}

TEST_F(IdentityRotationTest, WithoutAnIdentityThereIsNothingToRenew) {
  begin();
  EXPECT_EQ(rotation->status().state, State::idle);
  EXPECT_FALSE(std::filesystem::exists(place));
}

TEST_F(IdentityRotationTest, AsksProvesAndUsesWhatIsDue) {
  use_one("20261101000000");
  begin();
  ASSERT_EQ(rotation->status().state, State::asking);
  ASSERT_EQ(authority.requests.size(), 1U);
  EXPECT_EQ(authority.requests[0], *read_file(place + "/2/request.pem", 4096));
  const std::string old = look().current()->certificate_file;

  authority.answer(signed_answer());
  settle();
  ASSERT_EQ(rotation->status().state, State::proving);
  EXPECT_EQ(proved, (std::vector<unsigned>{2}));
  EXPECT_EQ(look().current()->certificate_file, old);  // until it is proved

  prove_done({});
  settle();
  EXPECT_EQ(rotation->status().state, State::idle);
  EXPECT_EQ(rotation->status().renewals, 1U);
  EXPECT_EQ(reconnects, 1);
  EXPECT_EQ(look().current()->number, 2U);
  EXPECT_FALSE(look().pending());
  ASSERT_EQ(authority.told.size(), 2U);  // at the start, and now
  EXPECT_NE(authority.told[0], authority.told[1]);
  EXPECT_EQ(log.count("certificate renewed"), 1U);
}

TEST_F(IdentityRotationTest, TellsWhatIsInUseUntilItIsHeard) {
  use_one("20280101000000");
  authority.reachable = false;
  begin();
  EXPECT_TRUE(authority.told.empty());
  authority.reachable = true;
  pass(IdentityRotation::kTellPause);
  EXPECT_EQ(authority.told.size(), 1U);
  pass(10 * IdentityRotation::kLookInterval);
  EXPECT_EQ(authority.told.size(), 1U);
}

TEST_F(IdentityRotationTest, AnAgeMayBeConfigured) {
  use_one("20280101000000");
  options.renew_after = std::chrono::hours{24 * 365};
  begin();
  EXPECT_EQ(rotation->status().state, State::idle);
  set_time(*from_rfc3339("2027-01-01T00:00:00Z"), true);
  pass(IdentityRotation::kLookInterval);
  EXPECT_EQ(rotation->status().state, State::asking);
}

TEST_F(IdentityRotationTest, AnAgeForLongLivesDoesNotLetAShortOneExpire) {
  use_one("20261101000000");  // of ten months: two thirds are over
  options.renew_after = std::chrono::hours{24 * 365};
  begin();
  EXPECT_EQ(rotation->status().state, State::asking);
}

TEST_F(IdentityRotationTest, WhatIsValidForDecadesIsRenewedAtTheAgeForAws) {
  use_one("20491231235959");
  options.renew_after = kAwsRenewAfter;
  begin();
  EXPECT_EQ(rotation->status().state, State::idle);
  set_time(*from_rfc3339("2027-01-01T00:00:00Z"), true);
  pass(IdentityRotation::kLookInterval);
  EXPECT_EQ(rotation->status().state, State::asking);
}

TEST_F(IdentityRotationTest, AClockThatNobodyVouchesForRenewsButRefusesNothingAsExpired) {
  use_one("20261101000000");
  set_time(*from_rfc3339("2036-10-01T00:00:00Z"), false);
  begin();
  ASSERT_EQ(rotation->status().state, State::asking);
  authority.answer(signed_answer());
  settle();
  ASSERT_EQ(rotation->status().state, State::proving);
  prove_done({});
  settle();
  EXPECT_EQ(look().current()->number, 2U);
  // By that clock the new one is due as well; that must not become a ring.
  pass(IdentityRotation::kLongPause - seconds{1});
  EXPECT_EQ(authority.requests.size(), 1U);
}

TEST_F(IdentityRotationTest, AnExpiredAnswerIsRefusedByATimeThatIsSure) {
  use_one("20261101000000");
  begin();
  authority.answer(signed_answer("20260601000000"));
  settle();
  EXPECT_EQ(rotation->status().state, State::waiting);
  EXPECT_NE(rotation->status().last_error.find("expired"), std::string::npos);
}

TEST_F(IdentityRotationTest, AsksAgainWithTheSameKeyUntilItIsAnswered) {
  use_one("20261101000000");
  begin();
  pass(IdentityRotation::kLookInterval);
  pass(IdentityRotation::kLookInterval);
  ASSERT_EQ(authority.requests.size(), 3U);
  EXPECT_EQ(authority.requests[0], authority.requests[2]);
}

TEST_F(IdentityRotationTest, WaitsForAnAuthorityThatCannotBeReached) {
  use_one("20261101000000");
  authority.reachable = false;
  begin();
  EXPECT_EQ(rotation->status().state, State::waiting);
  EXPECT_EQ(log.count("could not be renewed"), 0U);  // a device that is offline is no fault
  authority.reachable = true;
  pass(IdentityRotation::kUnreachablePause);
  EXPECT_EQ(rotation->status().state, State::asking);
}

TEST_F(IdentityRotationTest, ARefusalIsToldOnceAndTheRightAnswerBehindItCounts) {
  use_one("20261101000000");
  begin();
  for (int hour = 0; hour < 2; ++hour) {
    authority.answer(Error{ErrorKind::Denied, "the authority refuses: unknown device"});
    EXPECT_EQ(rotation->status().state, State::waiting);
    pass(IdentityRotation::kLookInterval);
    EXPECT_EQ(rotation->status().state, State::asking);
  }
  EXPECT_EQ(log.count("unknown device"), 1U);
  EXPECT_EQ(look().current()->number, 1U);
  authority.answer(Error{ErrorKind::Denied, "the authority refuses: unknown device"});
  authority.answer(signed_answer());
  settle();
  EXPECT_EQ(rotation->status().state, State::proving);
}

TEST_F(IdentityRotationTest, AnAnswerForAnotherKeyChangesNothing) {
  use_one("20261101000000");
  begin();
  authority.answer(make_test_certificate({.name = "CN=gw-1"}).certificate);
  settle();
  EXPECT_EQ(rotation->status().state, State::waiting);
  EXPECT_NE(rotation->status().last_error.find("another key"), std::string::npos);
  EXPECT_TRUE(proved.empty());
  authority.answer(signed_answer());  // the right one behind it
  settle();
  EXPECT_EQ(rotation->status().state, State::proving);
}

TEST_F(IdentityRotationTest, WhatTheBrokerDoesNotTakeThreeTimesIsGivenUp) {
  use_one("20261101000000");
  begin();
  authority.answer(signed_answer());
  settle();
  for (int i = 1; i < IdentityRotation::kProofsMax; ++i) {
    prove_done(Error{ErrorKind::Denied, "not authorised"});
    EXPECT_EQ(rotation->status().state, State::waiting);
    pass(IdentityRotation::kProofPause);
    ASSERT_EQ(rotation->status().state, State::proving);
  }
  prove_done(Error{ErrorKind::Denied, "not authorised"});
  settle();
  EXPECT_EQ(rotation->status().state, State::waiting);
  EXPECT_EQ(proved.size(), 3U);
  EXPECT_FALSE(look().pending());
  EXPECT_EQ(look().current()->number, 1U);
  pass(IdentityRotation::kLongPause);
  EXPECT_EQ(rotation->status().state, State::asking);
  EXPECT_NE(authority.requests.back(), authority.requests.front());  // with a new key
}

TEST_F(IdentityRotationTest, WithoutANetworkNothingIsGivenUp) {
  use_one("20261101000000");
  begin();
  authority.answer(signed_answer());
  settle();
  for (int i = 0; i < 10 * IdentityRotation::kProofsMax; ++i) {
    prove_done(Error{ErrorKind::Unavailable, "no route to host"});
    pass(IdentityRotation::kProofPause);
    ASSERT_EQ(rotation->status().state, State::proving);
  }
  EXPECT_TRUE(look().pending()->has_certificate);
  prove_done({});
  settle();
  EXPECT_EQ(look().current()->number, 2U);
}

TEST_F(IdentityRotationTest, ARequestThatWasCutOffIsMadeAgain) {
  use_one("20261101000000");
  ASSERT_TRUE(look().request(KeyKind::p256, "CN=gw-1"));
  for (const bool is_empty : {false, true}) {
    std::filesystem::remove(place + "/2/request.pem");
    if (is_empty) {
      ASSERT_TRUE(replace_file_durably(place + "/2/request.pem", "", 0644));
    }
    begin();
    EXPECT_EQ(rotation->status().state, State::asking);
    EXPECT_NE(authority.requests.back().find("BEGIN CERTIFICATE REQUEST"), std::string::npos);
  }
}

TEST_F(IdentityRotationTest, SaysThatTheIdentityInUseIsBroken) {
  use_one("20261101000000");
  std::filesystem::remove(place + "/1/certificate.pem");
  begin();
  EXPECT_EQ(rotation->status().state, State::idle);
  EXPECT_NE(rotation->status().last_error.find("without a key or a certificate"), std::string::npos);
}

TEST_F(IdentityRotationTest, ABrokerThatRefusesToHearWhatIsInUseIsLeftAlone) {
  use_one("20280101000000");
  authority.refuses = true;
  begin();
  pass(IdentityRotation::kLongPause - seconds{1});
  EXPECT_EQ(authority.tellings, 1);
  EXPECT_NE(rotation->status().last_error.find("not authorised"), std::string::npos);
}

TEST_F(IdentityRotationTest, AStartGoesOnWhereTheLastOneWasCutOff) {
  use_one("20280101000000");
  ASSERT_TRUE(look().request(KeyKind::p256, "CN=gw-1"));
  begin();
  EXPECT_EQ(rotation->status().state, State::asking);
  IdentityDirectory identity = look();
  ASSERT_TRUE(identity.install(signed_answer(), clock.utc().time));
  rotation.reset();
  begin();
  EXPECT_EQ(rotation->status().state, State::proving);
  prove_done({});
  settle();
  EXPECT_EQ(look().current()->number, 2U);
}

TEST_F(IdentityRotationTest, AnAnswerThatComesTwiceIsTakenOnce) {
  use_one("20261101000000");
  begin();
  const std::string chain = signed_answer();
  authority.answer(chain);
  authority.answer(chain);
  settle();
  authority.answer(chain);
  settle();
  EXPECT_EQ(proved.size(), 1U);
}

TEST_F(IdentityRotationTest, ARenewalThatEndsWhileTheAgentStopsLeavesTheLinkAlone) {
  use_one("20261101000000");
  begin();
  authority.answer(signed_answer());
  settle();
  prove_done({});
  rotation->stop();  // while it is taken into use
  ASSERT_TRUE(loop.run_until([this] { return look().current()->number == 2U; }));
  for (int i = 0; i < 3; ++i) loop.advance(IdentityRotation::kLongPause);
  EXPECT_EQ(reconnects, 0);
  EXPECT_EQ(authority.tellings, 1);
}

TEST_F(IdentityRotationTest, NothingBeginsAfterAStop) {
  use_one("20261101000000");
  begin();
  rotation->stop();
  authority.answer(signed_answer());
  rotation->renew_now([](const Result<void>&) { FAIL(); });
  loop.advance(IdentityRotation::kLongPause);
  EXPECT_EQ(authority.requests.size(), 1U);
  EXPECT_FALSE(look().pending()->has_certificate);
}

struct Wished {
  int answers = 0;
  Result<void> outcome{Error{ErrorKind::Bug, "no answer"}};
  std::function<void(Result<void>)> done() {
    return [this](Result<void> given) {
      ++answers;
      outcome = std::move(given);
    };
  }
};

TEST_F(IdentityRotationTest, AWishRenewsWhatIsNotDueOnce) {
  use_one("20280101000000");
  begin();
  ASSERT_EQ(rotation->status().state, State::idle);
  Wished wished;
  rotation->renew_now(wished.done());
  settle();
  ASSERT_EQ(rotation->status().state, State::asking);
  authority.answer(signed_answer());
  settle();
  ASSERT_EQ(wished.answers, 0);
  prove_done({});
  settle();
  EXPECT_EQ(wished.answers, 1);
  EXPECT_TRUE(wished.outcome);
  EXPECT_EQ(look().current()->number, 2U);
  pass(IdentityRotation::kLongPause);
  EXPECT_EQ(rotation->status().state, State::idle);
  EXPECT_EQ(authority.requests.size(), 1U);
}

TEST_F(IdentityRotationTest, AWishDuringARenewalIsThatRenewal) {
  use_one("20261101000000");
  begin();
  const std::string chain = signed_answer();
  authority.answer(chain);
  Wished wished;
  rotation->renew_now(wished.done());  // while the answer is taken over
  settle();
  ASSERT_EQ(rotation->status().state, State::proving);
  prove_done({});
  settle();
  EXPECT_EQ(wished.answers, 1);
  EXPECT_TRUE(wished.outcome);
  EXPECT_EQ(look().current()->number, 2U);
}

TEST_F(IdentityRotationTest, AWishEndsWithTheAuthoritysRefusal) {
  use_one("20280101000000");
  begin();
  Wished wished;
  authority.reachable = false;
  rotation->renew_now(wished.done());
  settle();
  EXPECT_EQ(wished.answers, 0);  // goes on by itself
  authority.reachable = true;
  pass(IdentityRotation::kUnreachablePause);
  authority.answer(Error{ErrorKind::Unavailable, "no route"});
  EXPECT_EQ(wished.answers, 0);
  pass(IdentityRotation::kUnreachablePause);
  ASSERT_EQ(rotation->status().state, State::asking);
  authority.answer(Error{ErrorKind::Denied, "the authority refuses: unknown device"});
  EXPECT_EQ(wished.answers, 1);
  EXPECT_EQ(wished.outcome.error().kind(), ErrorKind::Denied);
}

TEST_F(IdentityRotationTest, AWishWithoutAnIdentityIsSaidToBeVain) {
  begin();
  Wished wished;
  rotation->renew_now(wished.done());
  settle();
  EXPECT_EQ(wished.answers, 1);
  EXPECT_EQ(wished.outcome.error().kind(), ErrorKind::NotPresent);
}

TEST_F(IdentityRotationTest, AWishEndsWhenTheBrokerHasRefusedForGood) {
  use_one("20280101000000");
  begin();
  Wished wished;
  rotation->renew_now(wished.done());
  settle();
  authority.answer(signed_answer());
  settle();
  for (int i = 1; i < IdentityRotation::kProofsMax; ++i) {
    prove_done(Error{ErrorKind::Denied, "not authorised"});
    EXPECT_EQ(wished.answers, 0);
    pass(IdentityRotation::kProofPause);
  }
  prove_done(Error{ErrorKind::Denied, "not authorised"});
  settle();
  EXPECT_EQ(wished.answers, 1);
  EXPECT_EQ(wished.outcome.error().kind(), ErrorKind::Denied);
}

TEST_F(IdentityRotationTest, HasAWordForEachState) {
  EXPECT_EQ(to_string(State::asking), "asking");
  EXPECT_EQ(to_string(State::proving), "proving");
}

}  // namespace
}  // namespace fieldpost
