// SPDX-License-Identifier: Apache-2.0
// The change itself is the same as the desired state's (agent/cloud/remote_configuration.hpp). The job's name is its id, so
// that the agent that comes after the trial's beginning knows whose outcome it finds.
#include "agent/jobs/operations.hpp"

namespace fieldpost {
namespace {

constexpr nanoseconds kLook = seconds{1};
/// For another change to be settled.
constexpr int kLooksMax = 1'200;

class ConfigurationApply final : public JobOperation {
 public:
  ConfigurationApply(const JobSurroundings& around, std::string id, std::string document)
      : around_{around}, changes_{*around.configuration}, id_{std::move(id)}, document_{std::move(document)} {}

  void begin(JobWork& work, const JobPoint&) override {
    work_ = &work;
    work.save(1, {}, [this] {
      timer_ = around_.loop.every(around_.loop.clock().now() + kLook, kLook, [this] { look(); });
      look();
    });
  }
  /// A change that was taken goes its way to the end.
  void stop() override {
    if (changes_.latest().id != id_) work_->finish({});
  }

 private:
  void look() {
    const ConfigurationChange& latest = changes_.latest();
    if (latest.id != id_) return ask();
    using State = ConfigurationChange::State;
    if (!is_settled(latest.state)) return;
    if (latest.state == State::confirmed) return work_->finish(outcome(JobStatus::succeeded, "confirmed"));
    const bool wrong = latest.state == State::refused;
    work_->finish(outcome(wrong ? JobStatus::rejected : JobStatus::failed, (wrong ? "refused: " : "put back: ") + latest.cause));
  }

  void ask() {
    const auto taken = changes_.apply(id_, document_);
    // What is refused stands in latest(), for the next look.
    if (taken || taken.error().kind() != ErrorKind::Unavailable || ++looks_ < kLooksMax) return;
    work_->finish(outcome(JobStatus::failed, taken.error().sentence()));
  }

  const JobSurroundings& around_;
  RemoteConfiguration& changes_;
  const std::string id_;
  const std::string document_;
  JobWork* work_ = nullptr;
  int looks_ = 0;
  Subscription timer_;
};

}  // namespace

Result<std::unique_ptr<JobOperation>> make_configuration_apply(const JobSurroundings& around, const JobOrder& order) {
  if (around.configuration == nullptr) {
    return Error{ErrorKind::Denied, "\"desired_state\" in [cloud] is false: this device's configuration is not changed from afar"};
  }
  const auto wanted = order.document.at("configuration");
  if (!wanted || !wanted->is_object()) return Error{ErrorKind::Malformed, "\"configuration\" is missing or no object"};
  return std::unique_ptr<JobOperation>{std::make_unique<ConfigurationApply>(
      around, "job-" + order.job + "-" + std::to_string(order.number), wanted->text())};
}

}  // namespace fieldpost
