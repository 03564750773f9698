// SPDX-License-Identifier: Apache-2.0
// `fieldpost fleet job watch`: one line that is written anew each second on a terminal, and one for each change elsewhere.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <set>
#include <string>
#include <thread>

#include "agent/commands/fleet.hpp"
#include "platform/json_member.hpp"

namespace fieldpost {
namespace {

constexpr CommandOption kOptions[] = {kFleetConfigurationOption, kFleetSocketOption};
constexpr std::int64_t kBarWidth = 24;

std::int64_t count(const Json& job, std::string_view name) {
  const auto counts = job.at("counts");
  return counts ? member_integer(*counts, name).value_or(0) : 0;
}

struct Progress {
  explicit Progress(const Json& job) {
    for (const char* name : {"waiting", "queued", "in_progress", "succeeded", "failed", "rejected", "timed_out", "canceled"}) {
      all += count(job, name);
    }
    succeeded = count(job, "succeeded");
    bad = count(job, "failed") + count(job, "rejected") + count(job, "timed_out");
    ended = succeeded + bad + count(job, "canceled");
  }
  std::int64_t all = 0;
  std::int64_t succeeded = 0;
  std::int64_t bad = 0;
  std::int64_t ended = 0;
};

std::string line_of(const Json& job) {
  const Progress progress{job};
  const std::int64_t filled = progress.all == 0 ? 0 : progress.ended * kBarWidth / progress.all;
  std::string line = "[" + std::string(static_cast<std::size_t>(filled), '#') + std::string(static_cast<std::size_t>(kBarWidth - filled), '.') + "] ";
  line += std::to_string(progress.ended) + "/" + std::to_string(progress.all);
  for (const char* name : {"waiting", "queued", "in_progress", "succeeded", "failed", "rejected", "timed_out", "canceled"}) {
    if (const std::int64_t number = count(job, name); number > 0) line += "  " + std::string{name} + " " + std::to_string(number);
  }
  if (progress.bad > 0) {
    std::array<char, 32> percent{};
    std::snprintf(percent.data(), percent.size(), "  (%.1f %% bad)", static_cast<double>(progress.bad) * 100 / static_cast<double>(progress.succeeded + progress.bad));
    line += percent.data();
  }
  const auto rate = member_integer(job, "rate");
  if (rate && count(job, "waiting") > 0) line += "  " + std::to_string(*rate) + "/min";
  return line;
}

class Screen {
 public:
  void show(const std::string& line) {
    if (line == shown_) return;
    print(is_terminal_ ? "\r\x1b[K" + line : line + "\n");
    shown_ = line;
    std::fflush(stdout);
  }
  void add(const std::string& line) {
    print((is_terminal_ ? "\r\x1b[K" : "") + line + "\n");
    shown_.clear();
  }
  void end() {
    if (is_terminal_) print("\n");
  }

 private:
  const bool is_terminal_ = ::isatty(STDOUT_FILENO) == 1;
  std::string shown_;
};

ExitCode run_watch(const Arguments& arguments) {
  Screen screen;
  std::set<std::string> failures_shown;
  bool seen = false;
  while (true) {
    JsonWriter request;
    request.begin_object().member("do", "job show").member("name", arguments.words()[0]).end_object();
    const auto job = ask_fleet(arguments, request);
    // A server that is started anew is waited for; one that was never there is not.
    const bool answered = job || job.error().kind() == ErrorKind::OutOfRange;
    if (!job && (answered || !seen)) {
      screen.end();
      complain("fleet job watch", job.error().sentence());
      return ExitCode::failed;
    }
    if (job) {
      seen = true;
      if (const auto failures = job->at("failures")) {
        auto newest_first = failures->elements();
        std::reverse(newest_first.begin(), newest_first.end());
        for (const Json& failure : newest_first) {
          if (!failures_shown.insert(member_text(failure, "device")).second) continue;
          const auto details = failure.at("details");
          screen.add(member_text(failure, "device") + " " + member_text(failure, "status") + (details ? " " + details->text() : ""));
        }
      }
      screen.show(line_of(*job));
      if (member_flag(*job, "over")) {
        screen.end();
        const std::string reason = member_text(*job, "reason");
        print(member_text(*job, "state") + (reason.empty() ? "" : ": " + reason) + "\n");
        const Progress progress{*job};
        return member_text(*job, "state") == "COMPLETED" && progress.succeeded == progress.all ? ExitCode::ok : ExitCode::failed;
      }
    } else {
      screen.show("the server does not answer: " + job.error().sentence());
    }
    std::this_thread::sleep_for(std::chrono::seconds{1});
  }
}

}  // namespace

constexpr Command kFleetWatchCommand{
    "fleet job watch", "show a job's progress until it is over",
    "How many devices wait, run, succeeded and failed, the present rate, and failures as they come\n"
    "(the last five of a second).\n"
    "It only looks: Ctrl-C ends the watching, not the job. A server that is started anew is waited for.\n"
    "\n"
    "exit codes: 0 every device succeeded; 1 not all did, or there is no such job; 2 wrong command line\n",
    kOptions, "  fieldpost fleet job watch update-7\n", &run_watch, "JOB"};

}  // namespace fieldpost
