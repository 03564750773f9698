// SPDX-License-Identifier: Apache-2.0
// A step is recorded, then run; its program is ended with its group. What it wrote last goes to the operator.
#include <sys/wait.h>

#include <algorithm>
#include <csignal>

#include "agent/jobs/allowed_program.hpp"
#include "agent/jobs/command_document.hpp"
#include "agent/jobs/operations.hpp"
#include "agent/jobs/output_tail.hpp"
#include "platform/child_process.hpp"

namespace fieldpost {
namespace {

/// Between SIGTERM and SIGKILL.
constexpr nanoseconds kGrace = seconds{10};

class CommandRun final : public JobOperation {
 public:
  CommandRun(const JobSurroundings& around, CommandPlan plan, const JobOrder& order)
      : around_{around},
        plan_{std::move(plan)},
        environment_{"FIELDPOST_JOB=" + order.job, "FIELDPOST_JOB_EXECUTION=" + std::to_string(order.number),
                     "FIELDPOST_DEVICE=" + around.options.device} {}

  void begin(JobWork& work, const JobPoint& point) override {
    work_ = &work;
    if (point.step == 0) return next();
    at_ = static_cast<std::size_t>(point.step) - 1;
    if (at_ < plan_.steps.size() && point.boot_id != around_.loop.clock().boot_id() && is_repeated(plan_.steps[at_])) return next();
    end(JobStatus::failed, "cut off in " + step_text() + ": " +
                               (point.boot_id == around_.loop.clock().boot_id() ? "the agent ended" : "the host went down") +
                               " while it ran; not run again");
  }

  void stop() override {
    stopping_ = true;
    if (child_) {
      end_child();
    } else {
      work_->finish({});
    }
  }

 private:
  bool is_repeated(const CommandStep& step) const {
    const auto& repeated = around_.options.repeated_handlers;
    return !step.handler.empty() && std::find(repeated.begin(), repeated.end(), step.handler) != repeated.end();
  }

  std::string step_text() const {
    std::string text = "step " + std::to_string(at_ + 1) + " of " + std::to_string(plan_.steps.size());
    if (at_ < plan_.steps.size() && !plan_.steps[at_].name.empty()) text += " (" + plan_.steps[at_].name.substr(0, 200) + ")";
    return text;
  }

  void next() {
    if (at_ >= plan_.steps.size()) return end(JobStatus::succeeded, "all steps succeeded");
    work_->save(static_cast<int>(at_) + 1, {}, [this] { run(); });
  }

  void run() {
    if (at_ > 0) work_->say({{"state", "working"}, {"step", step_text()}});
    ChildProcess::Options options;
    options.arguments = plan_.steps[at_].arguments;
    options.environment = environment_;
    // Ours has secrets, and the word to systemd.
    options.environment_is_small = true;
    options.on_output = [this](std::string_view bytes) { output_.add(bytes); };
    options.on_error_output = [this](std::string_view bytes) {
      errors_.add(bytes);
      step_errors_.add(bytes);
    };
    options.on_exit = [this](int status) { ended(status); };
    step_errors_ = {};
    timed_out_ = false;
    if (!plan_.steps[at_].handler.empty()) {
      // It was right when the job was taken, and that may be days ago.
      std::string& path = options.arguments.front();
      const std::size_t slash = path.rfind('/');
      auto program = allowed_program(around_.options.handlers_directory, path.substr(0, slash), path.substr(slash + 1));
      if (!program) return failed(program.error().sentence());
      path = std::move(*program);
    }
    auto child = ChildProcess::start(around_.loop, std::move(options));
    if (!child) return failed(child.error().sentence());
    child_ = std::move(*child);
    timer_ = around_.loop.after(around_.options.command_timeout, [this] {
      timed_out_ = true;
      end_child();
    });
  }

  void end_child() {
    child_->send_signal(SIGTERM);
    timer_ = around_.loop.after(kGrace, [this] { child_->send_signal(SIGKILL); });
  }

  void ended(int status) {
    timer_.reset();
    child_.reset();
    if (stopping_) return work_->finish({});
    const auto& lines_max = plan_.steps[at_].error_lines_max;
    if (timed_out_) {
      failed("took longer than " + std::to_string(std::chrono::floor<seconds>(around_.options.command_timeout).count()) + " s and was ended");
    } else if (WIFSIGNALED(status)) {
      failed("was ended by signal " + std::to_string(WTERMSIG(status)));
    } else if (WEXITSTATUS(status) != 0) {
      failed("ended with " + std::to_string(WEXITSTATUS(status)));
    } else if (lines_max && static_cast<std::int64_t>(step_errors_.lines()) > *lines_max) {
      failed("wrote " + std::to_string(step_errors_.lines()) + " lines to standard error, allowed are " + std::to_string(*lines_max));
    } else {
      ++at_;
      next();
    }
  }

  void failed(const std::string& words) {
    if (!plan_.steps[at_].failure_is_ignored) return end(JobStatus::failed, step_text() + " " + words);
    ++at_;
    next();
  }

  void end(JobStatus status, std::string words) {
    JobOutcome said = outcome(status, std::move(words));
    if (plan_.output_is_told) said.details.emplace_back("stdout", output_.text());
    said.details.emplace_back("stderr", errors_.text());
    work_->finish(std::move(said));
  }

  const JobSurroundings& around_;
  const CommandPlan plan_;
  const std::vector<std::string> environment_;
  JobWork* work_ = nullptr;
  std::size_t at_ = 0;
  bool stopping_ = false;
  bool timed_out_ = false;
  OutputTail output_;
  OutputTail errors_;
  OutputTail step_errors_;
  std::unique_ptr<ChildProcess> child_;
  Subscription timer_;
};

}  // namespace

Result<std::unique_ptr<JobOperation>> make_command_run(const JobSurroundings& around, const JobOrder& order) {
  return std::unique_ptr<JobOperation>{std::make_unique<CommandRun>(around, TRY(command_plan(order.document, around.options)), order)};
}

}  // namespace fieldpost
