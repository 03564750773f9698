// SPDX-License-Identifier: Apache-2.0
// A change of the configuration from afar, as those see it who bring one: the desired state of a shadow or twin, a job, a
// direct method. It is on trial first, under which the agent begins anew: so the outcome may come in the process after
// this one, and is found by the id. What does not prove itself is put back. Implemented where the stages are joined.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "platform/result.hpp"

namespace fieldpost {

/// The latest change that was asked for, and what became of it.
struct ConfigurationChange {
  enum class State : std::uint8_t {
    none,      ///< nobody has asked for one yet
    armed,     ///< taken; the agent is about to begin anew with it
    trial,     ///< runs, and must prove itself
    confirmed, ///< runs, and will run after a restart
    refused,   ///< wrong, never ran
    put_back,  ///< ran, or was to, and did not prove itself: what was confirmed before runs again
  };

  State state = State::none;
  std::string id = {};     ///< of whoever asked
  std::string asked = {};  ///< the document, as JSON
  std::string running = "{}";  ///< the document that is in effect now, as JSON; "{}": the files alone
  std::string cause = {};  ///< of refused and put_back, for people
};

constexpr std::string_view to_string(ConfigurationChange::State state) noexcept {
  constexpr std::string_view kNames[] = {"none", "armed", "trial", "confirmed", "refused", "put_back"};
  return kNames[static_cast<std::size_t>(state)];
}

/// "none", "confirmed", "refused", "put_back": nothing is under way, another may be asked for.
constexpr bool is_settled(ConfigurationChange::State state) noexcept {
  return state != ConfigurationChange::State::armed && state != ConfigurationChange::State::trial;
}

class RemoteConfiguration {
 public:
  virtual ~RemoteConfiguration() = default;

  /// Asks for `document`, JSON as the file has it, sections as objects: {"sampling": {"interval": "30s"}}. It takes the
  /// place of what was asked for before; "{}" goes back to the files alone. Once it is taken, latest() tells its fate
  /// under this id, over restarts. What is running already is confirmed at once.
  ///
  /// Errors: Unavailable  another is under way: ask again when it is settled
  ///         Malformed    no JSON object
  ///         Denied       a key that may not be changed from afar
  ///         OutOfRange   what `fieldpost check` would say of it, all problems in one text; or too large
  ///         others       it could not be written down
  ///         All but Unavailable stand as `refused` in latest() too.
  virtual Result<void> apply(std::string_view id, std::string_view document) = 0;

  virtual const ConfigurationChange& latest() const = 0;

  /// Runs whenever latest() has changed.
  virtual void on_change(std::function<void()> listener) = 0;
};

}  // namespace fieldpost
