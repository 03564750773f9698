// SPDX-License-Identifier: Apache-2.0
// The configuration with everything that `run` would refuse: what the files say, and whether the
// certificates and keys that they name can be used. For `check`, and before a reload.
#pragma once

#include <string>

#include "agent/configuration/configuration.hpp"

namespace fieldpost {

/// Loads the configuration and tries its certificates and keys; what is wrong with those is a problem
/// like any other. Starts nothing and contacts nobody.
/// Blocks: as long as reading the files takes
ConfigurationResult check_configuration(const std::string& path);

}  // namespace fieldpost
