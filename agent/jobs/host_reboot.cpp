// SPDX-License-Identifier: Apache-2.0
// Asks for the reboot up to three times, for the power may have gone before it was obeyed; the boot id tells when it has been.
#include "agent/jobs/operations.hpp"
#include "agent/jobs/output_tail.hpp"
#include "platform/child_process.hpp"

namespace fieldpost {
namespace {

/// For the command and the host's way down.
constexpr nanoseconds kPatience = std::chrono::minutes{10};
constexpr int kAttemptsMax = 3;

class HostReboot final : public JobOperation {
 public:
  explicit HostReboot(const JobSurroundings& around) : around_{around} {}

  void begin(JobWork& work, const JobPoint& point) override {
    work_ = &work;
    if (point.step > 0 && point.boot_id != around_.loop.clock().boot_id()) {
      return work.finish(outcome(JobStatus::succeeded, "the host has rebooted"));
    }
    // Cut off before the reboot came: rebooting what is about to reboot does no harm.
    if (point.step >= kAttemptsMax) return fail("the host did not reboot, asked " + std::to_string(point.step) + " times");
    work.save(point.step + 1, {}, [this] { reboot(); });
  }

  void stop() override { work_->finish({}); }

 private:
  void fail(std::string words) {
    JobOutcome failed = outcome(JobStatus::failed, std::move(words));
    failed.details.emplace_back("stderr", errors_.text());
    work_->finish(std::move(failed));
  }

  void reboot() {
    around_.log.warn("rebooting the host, a job wants it");
    ChildProcess::Options options;
    options.arguments = around_.options.reboot_command;
    options.on_error_output = [this](std::string_view bytes) { errors_.add(bytes); };
    options.on_exit = [this](int status) {
      if (status != 0) fail("the reboot command failed");
    };
    auto child = ChildProcess::start(around_.loop, std::move(options));
    if (!child) return fail(child.error().sentence());
    child_ = std::move(*child);
    patience_ = around_.loop.after(kPatience, [this] { fail("the reboot command was run, but the host still runs"); });
  }

  const JobSurroundings& around_;
  JobWork* work_ = nullptr;
  OutputTail errors_;
  std::unique_ptr<ChildProcess> child_;
  Subscription patience_;
};

}  // namespace

Result<std::unique_ptr<JobOperation>> make_host_reboot(const JobSurroundings& around, const JobOrder&) {
  if (around.options.reboot_command.empty()) return Error{ErrorKind::Denied, "\"reboot_command\" in [jobs] is empty: no job may reboot this host"};
  return std::unique_ptr<JobOperation>{std::make_unique<HostReboot>(around)};
}

}  // namespace fieldpost
