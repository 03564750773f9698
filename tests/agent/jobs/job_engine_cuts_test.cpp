// SPDX-License-Identifier: Apache-2.0
// The power goes at every instant of a job, and again at every instant of what follows. Whatever happens, the job is run once at most,
// a success is one that was run, and the cloud hears an end.
#include <gtest/gtest.h>

#include "tests/agent/jobs/job_world.hpp"

namespace fieldpost {
namespace {

const std::string kQuick = R"({"operation":"work","what":"quick"})";

struct Cuts {
  int cases = 0;
  int run_twice = 0;
  int untrue = 0;
  int unheard = 0;
  int succeeded = 0;
};

void one_case(Cuts& cuts, int first, int second, bool reboots, bool forgets) {
  World world;
  world.storage.forgets_acting = forgets;
  world.cloud.add("one", kQuick);
  world.boot();
  world.power.instants = 0;
  world.power.goes_at = first;
  world.go();
  world.boot(reboots);
  world.power.instants = 0;
  world.power.goes_at = second;
  world.go();
  world.boot(reboots);
  world.go();
  ++cuts.cases;
  const JobStatus status = world.cloud.job("one").execution.status;
  cuts.run_twice += world.runs["one"] > 1 ? 1 : 0;
  cuts.untrue += status == JobStatus::succeeded && world.runs["one"] != 1 ? 1 : 0;
  cuts.unheard += is_final(status) && world.state() == JobEngine::State::idle ? 0 : 1;
  cuts.succeeded += status == JobStatus::succeeded ? 1 : 0;
}

Cuts all_cuts(bool forgets) {
  World whole;
  whole.cloud.add("one", kQuick);
  whole.boot();
  whole.power.instants = 0;
  whole.go();
  const int instants = whole.power.instants;
  Cuts cuts;
  for (int first = 0; first <= instants; ++first) {
    for (int second = -1; second <= instants; ++second) {
      one_case(cuts, first, second, (first + second) % 2 == 0, forgets);
    }
  }
  return cuts;
}

TEST(JobCuts, RunsOnceWhateverIsCutOff) {
  const Cuts cuts = all_cuts(false);
  RecordProperty("cases", cuts.cases);
  EXPECT_GT(cuts.cases, 300);
  EXPECT_EQ(cuts.run_twice, 0);
  EXPECT_EQ(cuts.untrue, 0);
  EXPECT_EQ(cuts.unheard, 0);
  EXPECT_GT(cuts.succeeded, cuts.cases / 2);
}

TEST(JobCuts, ARecordThatForgetsIsFoundOut) { EXPECT_GT(all_cuts(true).run_twice, 0); }

}  // namespace
}  // namespace fieldpost
