// SPDX-License-Identifier: Apache-2.0
// Which program a job means by a handler's name: a file of the handlers' directory, and never anything else. The cloud gives
// names; what they stand for is in the hands of who may write there.
#pragma once

#include <string>

#include "platform/result.hpp"

namespace fieldpost {

/// The handler's absolute path. `place`: "", "default", or a directory at or below `directory`.
///
/// Errors: NotPresent (no such handler), Denied (a name or place that leads elsewhere; a file or directory that is not ours or
///         root's, or that others may write; a file that cannot be executed)
Result<std::string> allowed_program(const std::string& directory, const std::string& place, const std::string& name);

}  // namespace fieldpost
