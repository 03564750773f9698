// SPDX-License-Identifier: Apache-2.0
// What shadows and twins speak: a document that says only what changes (RFC 7396). A member that is null goes away, objects
// are merged, anything else, lists among it, is replaced whole.
#pragma once

#include <string>

#include "platform/json.hpp"

namespace fieldpost {

/// The shortest text that makes `to` of `from`, both objects; "{}" where they say the same, in whatever order.
/// Without `removals` what only `from` has stays: of what is reported and what is desired that is a shadow's delta.
std::string merge_patch(const Json& from, const Json& to, bool removals = true);

}  // namespace fieldpost
