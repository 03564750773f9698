// SPDX-License-Identifier: Apache-2.0
// A directory of the agent's, made with those above it where they are missing.
#pragma once

#include <sys/types.h>

#include <string>

#include "platform/result.hpp"

namespace fieldpost {

/// Makes `path` and every missing directory above it with `mode`; one that is there is fine.
/// Errors: Denied, Full, Io (a part of the path is a file)
Result<void> make_directories(const std::string& path, mode_t mode = 0750);

}  // namespace fieldpost
