// SPDX-License-Identifier: Apache-2.0
// The arithmetic of shadow documents (AWS IoT Device Shadow): a patch is merged key by key, null removes a key, arrays
// and everything else are replaced whole. What differs, agent/cloud/merge_patch tells both sides.
#pragma once

#include <string>

#include "platform/json.hpp"

namespace fieldpost {

/// `patch` laid over `document` (JSON objects as text; empty is {}).
std::string merged(const std::string& document, const Json& patch);

/// A null inside of an array: neither a value nor a removal.
bool has_null_in_array(const Json& value);

}  // namespace fieldpost
