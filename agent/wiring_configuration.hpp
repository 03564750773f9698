// SPDX-License-Identifier: Apache-2.0
// Changes of the configuration from afar, carried out: checked as a file would be, written down, tried by beginning anew,
// and confirmed when the link and the sources that worked before work again; otherwise put back.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/cloud/change_journal.hpp"
#include "agent/configuration/configuration.hpp"
#include "agent/local/instance_lock.hpp"
#include "platform/event_loop.hpp"
#include "platform/log.hpp"
#include "platform/worker.hpp"

namespace fieldpost {

/// How the agent came to its configuration, and how it can come to another.
struct ConfigurationChanges {
  /// What the files say with this overlay (TOML) over them, and whether it could be run.
  std::function<ConfigurationResult(const std::string& overlay)> check;
  /// Ends the agent in order and begins it anew; the journal says with what.
  std::function<void()> begin_anew;
  std::string journal;  ///< its path
  ChangeRecord record = {};
  std::optional<InstanceLock> lock = {};  ///< of the state directory: nobody else moves the journal
  explicit operator bool() const { return static_cast<bool>(check); }
};

class WiredConfiguration final : public RemoteConfiguration {
 public:
  /// What a trial is judged by, and when it may begin.
  struct Health {
    struct Source {
      std::string name;
      bool works;
    };
    std::function<std::string()> link;              ///< why it is not up; empty if it is
    std::function<std::vector<Source>()> sources;   ///< that are configured
    std::function<bool()> may_begin_anew;           ///< no job runs that this would cut off
  };

  /// `loop` and `log` are lent and outlive it. `within`: time for a trial, from start().
  WiredConfiguration(EventLoop& loop, Log& log, ConfigurationChanges changes, Health health, nanoseconds within);

  /// Where a change is on trial, its time begins.
  void start();

  Result<void> apply(std::string_view id, std::string_view document) override;
  const ConfigurationChange& latest() const override { return record_.change; }
  void on_change(std::function<void()> listener) override { listeners_.push_back(std::move(listener)); }

  /// A step is being written down.
  bool busy() const noexcept { return keeping_; }

  static constexpr nanoseconds kLookInterval = seconds{1};
  /// All must have been well for so long, or half of the time there is: what works for an instant may be about to fall over.
  static constexpr nanoseconds kSteady = seconds{10};
  /// For the news that a change was taken to get out.
  static constexpr nanoseconds kBeginPause = milliseconds{500};
  /// For a job that runs; then the change is given up rather than the job.
  static constexpr nanoseconds kJobPatience = std::chrono::hours{1};
  /// Where the agent does not begin anew: its own files are wrong by now.
  static constexpr nanoseconds kBeginAgain = seconds{60};
  static constexpr std::size_t kProblemsTold = 10;
  static constexpr std::size_t kCauseBytesMax = 1'500;

 private:
  Result<void> refuse(std::string_view id, std::string_view document, Error why);
  void look();
  void begin();
  std::string ailment() const;
  std::vector<std::string> alive() const;
  void settle(ConfigurationChange::State state, std::string cause);
  void keep(ChangeRecord record, std::function<void(const Result<void>&)> done);
  void changed();

  EventLoop& loop_;
  Log& log_;
  ConfigurationChanges changes_;
  Health health_;
  nanoseconds within_;
  ChangeRecord record_;
  std::vector<std::function<void()>> listeners_;
  std::unique_ptr<Worker> worker_;
  bool keeping_ = false;
  Subscription timer_;
  BootTime deadline_;
  BootTime well_since_;
  bool well_ = false;
  bool begun_ = false;
};

/// The configuration that `run` starts with: the files, and what the journal lays over them. The journal is read
/// only where the files let the cloud change anything.
struct StartConfiguration {
  ConfigurationResult loaded;
  ConfigurationChanges changes;  ///< false where nothing may be changed
};

/// Files that are right never fail because of an overlay: one that does not go with them is left out, and told. Where
/// another agent has the state directory, the journal is not touched: Agent::make says so.
/// Blocks: as load_configuration, and for a write where a change is under way
StartConfiguration load_start_configuration(const std::function<ConfigurationResult(const DropIn* overlay)>& load);

}  // namespace fieldpost
