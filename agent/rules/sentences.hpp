// SPDX-License-Identifier: Apache-2.0
// The sentences that events carry to people.
#pragma once

#include <string>
#include <string_view>

#include "agent/rules/rule_options.hpp"
#include "hal/series.hpp"
#include "platform/clock.hpp"

namespace fieldpost {

/// "86.2", six digits at most; "no number" for NaN.
std::string number_text(double number);

/// "10 s", "5 min", "2 h"; at most one decimal.
std::string duration_text(nanoseconds duration);

/// `series{...}`, or "mean of series{...}", shortened where it would leave no room for the rest.
std::string subject_text(const RuleOptions& rule, const Series& series);

/// "86.2 celsius", "1200 bytes per second".
std::string quantity_text(const RuleOptions& rule, const Series& series, double value);

/// `message` cut at a character's border to what an event may carry.
std::string fit_message(std::string message);

}  // namespace fieldpost
