// SPDX-License-Identifier: Apache-2.0
// The latest configuration change on the disk: what is confirmed, what is on trial, and what became of it. A small file,
// replaced whole at each step, so that a kill or a power cut between any two leaves one of them:
//
//     armed --the agent begins--> trial --proved itself--> confirmed
//                                   |--did not, or the agent begins once more--> put_back
#pragma once

#include <string>
#include <vector>

#include "agent/cloud/remote_configuration.hpp"

namespace fieldpost {

struct ChangeRecord {
  ConfigurationChange change;
  std::string confirmed = "{}";    ///< what runs unless a change is on trial
  std::vector<std::string> alive;  ///< sources that worked before it: they must again
};

class ChangeJournal {
 public:
  explicit ChangeJournal(std::string path) : path_{std::move(path)} {}

  /// The record as it is to be from now on. One that was on trial is put back; one that was armed is on trial, if that
  /// can be written down: a change that crashes the agent must be known after the crash.
  ///
  /// Errors: Malformed, Io  there is a file and it cannot be used; the record is as if there were none
  /// Blocks: for a write to the disk, where a change is under way; call before the loop runs
  Result<ChangeRecord> begin() const;

  /// Errors: as replace_file_durably
  /// Blocks: as replace_file_durably
  Result<void> keep(const ChangeRecord& record) const;

  const std::string& path() const noexcept { return path_; }

 private:
  std::string path_;
};

}  // namespace fieldpost
