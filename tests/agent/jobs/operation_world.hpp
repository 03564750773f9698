// SPDX-License-Identifier: Apache-2.0
// What an operation is lent, and a record of what it does with it.
#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/jobs/operations.hpp"
#include "tests/support/collecting_log.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/manual_event_loop.hpp"
#include "tests/support/temporary_directory.hpp"

namespace fieldpost {

struct OperationWorld : testing::Test, JobWork {
  void save(int step, std::string, std::function<void()> then) override {
    saved.push_back(step);
    if (disk_ok) then();
  }
  void say(JobDetails details) override { said.push_back(std::move(details)); }
  void finish(JobOutcome outcome) override { ended = std::move(outcome); }
  bool spend(std::int64_t bytes) override { return (budget -= bytes) >= 0; }

  using Make = Result<std::unique_ptr<JobOperation>> (*)(const JobSurroundings&, const JobOrder&);
  void make(Make maker, const std::string& text = "{}") {
    document.emplace(*Json::parse(text));
    auto made = maker(around, {*document, job, 1});
    ASSERT_TRUE(made) << made.error().sentence();
    operation = std::move(*made);
  }
  /// Begins and waits for the end.
  void run(const JobPoint& point = {}) {
    operation->begin(*this, point);
    ASSERT_TRUE(loop.run_until([this] { return ended.has_value(); }));
  }
  std::string detail(const std::string& name) const {
    for (const auto& [key, value] : ended ? ended->details : JobDetails{}) {
      if (key == name) return value;
    }
    return {};
  }
  /// A shell script among the handlers.
  void handler(const std::string& name, const std::string& text, mode_t mode = 0700) {
    directory.write("handlers/" + name, "#!/bin/sh\n" + text + "\n");
    ::chmod(directory.file("handlers").c_str(), 0700);
    ::chmod(directory.file("handlers/" + name).c_str(), mode);
  }

  TemporaryDirectory directory;
  ManualClock clock;
  ManualEventLoop loop{clock};
  CollectingLog log{clock};
  JobOptions options = [this] {
    JobOptions made;
    made.device = "gw-1";
    made.handlers_directory = directory.file("handlers");
    made.repeated_handlers = {"reboot.sh"};
    return made;
  }();
  int restarts = 0;
  JobSurroundings around{loop, log.log(), options, [this] { ++restarts; }};
  std::string job = "job-1";
  std::optional<Json> document;
  std::unique_ptr<JobOperation> operation;
  bool disk_ok = true;
  std::int64_t budget = 1'000'000;
  std::vector<int> saved;
  std::vector<JobDetails> said;
  std::optional<JobOutcome> ended;
};

}  // namespace fieldpost
