// SPDX-License-Identifier: Apache-2.0
// SIGHUP to ourselves; whoever finds that in the record is the agent after it.
#include "agent/jobs/operations.hpp"

namespace fieldpost {
namespace {

constexpr nanoseconds kPatience = seconds{60};

class AgentRestart final : public JobOperation {
 public:
  explicit AgentRestart(const JobSurroundings& around) : around_{around} {}

  void begin(JobWork& work, const JobPoint& point) override {
    work_ = &work;
    // It stands in the record of an agent that is over.
    if (point.step == 1) return work.finish(outcome(JobStatus::succeeded, "the agent has begun anew"));
    work.save(1, {}, [this] {
      around_.restart();
      patience_ = around_.loop.after(kPatience, [this] {
        work_->finish(outcome(JobStatus::failed, "the agent did not begin anew: is its configuration right? Its log says more"));
      });
    });
  }
  void stop() override { work_->finish({}); }

 private:
  const JobSurroundings& around_;
  JobWork* work_ = nullptr;
  Subscription patience_;
};

}  // namespace

Result<std::unique_ptr<JobOperation>> make_agent_restart(const JobSurroundings& around, const JobOrder&) {
  return std::unique_ptr<JobOperation>{std::make_unique<AgentRestart>(around)};
}

}  // namespace fieldpost
