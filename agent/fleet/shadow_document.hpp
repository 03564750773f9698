// SPDX-License-Identifier: Apache-2.0
// The arithmetic of shadow documents (AWS IoT Device Shadow): a patch is merged key by key, null removes a key, arrays
// and everything else are replaced whole; the delta is what is desired and not, or otherwise, reported.
#pragma once

#include <optional>
#include <string>

#include "platform/json.hpp"

namespace fieldpost {

/// `patch` laid over `document` (JSON objects as text; empty is {}).
std::string merged(const std::string& document, const Json& patch);

/// The leaves of `desired` that differ; empty if there are none.
std::string difference(const std::string& desired, const std::string& reported);

/// A null inside of an array: neither a value nor a removal.
bool has_null_in_array(const Json& value);

}  // namespace fieldpost
