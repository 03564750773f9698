// SPDX-License-Identifier: Apache-2.0
// What the `fieldpost fleet ...` commands have in common: where the server is, and how it is asked.
#pragma once

#include <string>

#include "agent/commands/command.hpp"
#include "platform/json.hpp"

namespace fieldpost {

inline constexpr std::string_view kFleetConfigurationPath = "/etc/fieldpost/fleet.toml";
inline constexpr CommandOption kFleetConfigurationOption{"--config", "FILE", "the server's configuration; default /etc/fieldpost/fleet.toml"};
inline constexpr CommandOption kFleetSocketOption{"--socket", "PATH", "the server's socket, instead of looking into the configuration"};

/// Of the server that has this state directory.
inline std::string fleet_socket(const std::string& state_directory) { return state_directory + "/fleet.sock"; }

/// The server's answer to one request, which is taken.
/// Errors: as ask_control_socket, and OutOfRange with the server's own words
Result<Json> ask_fleet(const Arguments& arguments, JsonWriter& request);

extern const Command kFleetServeCommand;
extern const Command kFleetWatchCommand;

}  // namespace fieldpost
