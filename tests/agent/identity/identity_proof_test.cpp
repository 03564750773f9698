// SPDX-License-Identifier: Apache-2.0
// That a broker takes a new identity is shown with a real one in tests/end_to_end/test_provision.py.
#include "agent/identity/identity_proof.hpp"

#include <gtest/gtest.h>

#include "tests/support/collecting_log.hpp"

namespace fieldpost {
namespace {

TEST(IdentityProof, FailsOnceAndWithTheLinksSentence) {
  const SystemClock clock;
  CollectingLog log{clock};
  const auto loop = make_event_loop(clock);
  LinkOptions options;
  options.backoff_first = options.backoff_max = milliseconds{1};
  options.url = "mqtt://127.0.0.1:1";  // nobody listens there
  options.plaintext_allowed = true;
  options.client_id = "gw-1";
  int calls = 0;
  Result<void> outcome;
  const auto proof = IdentityProof::begin(*loop, log.log(), options, [&](const Result<void>& result) {
    ++calls;
    outcome = result;
    loop->stop();
  });
  ASSERT_TRUE(proof) << proof.error().sentence();
  loop->run();
  EXPECT_EQ(calls, 1);
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().kind(), ErrorKind::Denied);
  EXPECT_NE(outcome.error().sentence().find("refused"), std::string::npos) << outcome.error().sentence();
}

TEST(IdentityProof, SaysAtOnceWhatIsWrongWithTheOptions) {
  const SystemClock clock;
  CollectingLog log{clock};
  const auto loop = make_event_loop(clock);
  LinkOptions options;
  options.url = "nothing";
  EXPECT_FALSE(IdentityProof::begin(*loop, log.log(), options, [](const Result<void>&) { FAIL(); }));
}

}  // namespace
}  // namespace fieldpost
