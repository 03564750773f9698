// SPDX-License-Identifier: Apache-2.0
// Which subscription a message belongs to (MQTT 5 section 4.7). The broker has matched already;
// this tells our own subscriptions apart.
#pragma once

#include <string_view>

namespace fieldpost {

/// "fleet/+/jobs/#" matches "fleet/7/jobs" and "fleet/7/jobs/next"; a filter that begins with a
/// wildcard does not match a topic that begins with "$". "$share/group/" is looked through.
bool topic_matches(std::string_view filter, std::string_view topic) noexcept;

}  // namespace fieldpost
