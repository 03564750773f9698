// SPDX-License-Identifier: Apache-2.0
// Certificates are tried by making a link on a loop that never runs.
#include "agent/commands/checked_configuration.hpp"

#include <memory>
#include <utility>

#include "agent/identity/identity_directory.hpp"
#include "agent/link/link.hpp"
#include "platform/event_loop.hpp"
#include "platform/log.hpp"

namespace fieldpost {
namespace {

/// Errors: as Link::make
Result<void> try_link(const Configuration& configuration) {
  LinkOptions options = configuration.link;
  use_identity(identity_directory(configuration.state_directory), options);
  const SystemClock clock;
  Log silent{clock, LogLevel::error, [](LogLevel, std::string_view) {}};
  const auto loop = make_event_loop(clock);
  TRY(Link::make(*loop, silent, std::move(options)));
  return {};
}

}  // namespace

ConfigurationResult check_configuration(const std::string& path) {
  ConfigurationResult loaded = load_configuration(path, driver_table());
  if (!loaded.ok() || !loaded.configuration.has_broker) return loaded;
  if (const auto link = try_link(loaded.configuration); !link) {
    loaded.problems.push_back({Problem::Severity::error, path, 0, "[broker] " + link.error().sentence()});
    ++loaded.errors;
  }
  LinkOptions options = loaded.configuration.link;
  use_identity(identity_directory(loaded.configuration.state_directory), options);
  if (options.certificate_file.empty() && options.username.empty()) {
    loaded.problems.push_back({Problem::Severity::warning, path, 0, "[broker] has neither certificate_file nor username, and `fieldpost "
                                                                    "provision` has made no identity: most brokers will refuse"});
  }
  return loaded;
}

}  // namespace fieldpost
