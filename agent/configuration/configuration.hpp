// SPDX-License-Identifier: Apache-2.0
// The configuration as a plain value: the option structs of every stage, filled and checked. It is
// made whole or not at all; a wrong file gives every problem with its line (promise P9).
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agent/cloud/cloud_profile.hpp"
#include "agent/configuration/problem.hpp"
#include "agent/configuration/series_policy.hpp"
#include "agent/identity/identity_options.hpp"
#include "agent/jobs/job_options.hpp"
#include "agent/link/link.hpp"
#include "agent/rules/rule_options.hpp"
#include "agent/store/store_options.hpp"
#include "agent/sync/sync_options.hpp"
#include "hal/source.hpp"
#include "platform/log.hpp"
#include "platform/result.hpp"

namespace fieldpost {

inline constexpr std::string_view kDefaultConfigurationPath = "/etc/fieldpost/fieldpost.toml";

/// One source to open: a driver with its options under a name of its own.
struct SourceOptions {
  std::string instance;            ///< NAME of [source.NAME]
  const Driver* driver = nullptr;  ///< a row of the driver table
  OptionValues options;
  nanoseconds interval{};
  bool asked_for = false;  ///< has a section: worth a warning when the machine lacks it
};

struct Configuration {
  std::vector<std::string> files;  ///< what it was read from, environment variables among them
  std::string device_name;
  std::string state_directory;
  bool has_broker = false;
  LinkOptions link;
  IdentityOptions identity;
  CloudOptions cloud;
  JobOptions jobs;
  std::string topic_prefix;
  std::vector<SourceOptions> sources;
  StoreOptions store;
  ByteLimits byte_limits;
  PayloadOptions payload;
  SparkplugOptions sparkplug;
  SeriesPolicies series;
  std::vector<RuleOptions> rules;
  bool self_enabled = true;     ///< the agent's own series
  nanoseconds self_interval{};
  LogLevel log_level = LogLevel::info;
  std::string control_socket;
};

struct ConfigurationResult {
  Configuration configuration;    ///< meaningless when there are errors
  std::vector<Problem> problems;  ///< ordered by file and line; warnings, too
  std::vector<std::string> files;  ///< what it was read from: the file, conf.d/, environment variables
  std::size_t errors = 0;
  bool ok() const noexcept { return errors == 0; }
};

/// A file that is laid over the main one.
struct DropIn {
  std::string name;  ///< for messages
  Result<std::string> text;
};

struct EnvironmentVariable {
  std::string name;
  std::string value;
};

/// What the text depends on beside itself.
struct ConfigurationContext {
  std::string file_name;   ///< for messages, as the user wrote it
  std::string directory;   ///< relative paths in the file start here
  std::string host_name;   ///< default of [device] name
  std::span<const Driver> drivers;
  std::vector<DropIn> drop_ins = {};                  ///< laid over the text in this order
  std::vector<EnvironmentVariable> environment = {};  ///< laid over all that; of any program, only ours count
  /// False: named files are neither looked at nor read (fuzzing).
  bool files_are_checked = true;
};

/// Reads the text of a configuration.
ConfigurationResult read_configuration(std::string_view text, const ConfigurationContext& context);

/// Reads a configuration file, the files of conf.d/ beside it, and the environment (overlay.hpp); one that
/// cannot be read is a problem like any other.
/// Blocks: like any read of a file; call before the loop runs
/// `overlay`: laid over the files, below the environment; a configuration from afar.
ConfigurationResult load_configuration(const std::string& path, std::span<const Driver> drivers, const DropIn* overlay = nullptr);

/// Every section and key with type, default and help, as text for people; the drivers' options too.
std::string explain_configuration(std::span<const Driver> drivers);

}  // namespace fieldpost
