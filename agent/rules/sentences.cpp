// SPDX-License-Identifier: Apache-2.0
// See sentences.hpp.
#include "agent/rules/sentences.hpp"

#include <cmath>
#include <cstdio>

namespace fieldpost {
namespace {

/// Leaves room for the value, the threshold and the duration.
constexpr std::size_t kSubjectBytesMax = 640;

/// The longest part of `text` with at most `bytes_max` bytes that does not end inside a character.
std::string_view cut(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  std::size_t end = bytes_max;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return text.substr(0, end);
}

std::string with_one_decimal(double number, const char* unit) {
  return number_text(std::round(number * 10) / 10) + " " + unit;
}

}  // namespace

std::string number_text(double number) {
  if (std::isnan(number)) return "no number";
  char text[32];
  const int length = std::snprintf(text, sizeof text, "%.6g", number);
  return {text, static_cast<std::size_t>(length)};
}

std::string duration_text(nanoseconds duration) {
  const double s = std::chrono::duration<double>(duration).count();
  // A time that was written as minutes or hours is shown so; others stay in seconds for long.
  const bool whole_minutes = duration % std::chrono::minutes{1} == nanoseconds{0};
  const bool whole_hours = duration % std::chrono::hours{1} == nanoseconds{0};
  if (s >= 7200 || (s >= 3600 && whole_hours)) return with_one_decimal(s / 3600, "h");
  if (s >= 120 || (s >= 60 && whole_minutes)) return with_one_decimal(s / 60, "min");
  if (s < 1) return number_text(std::round(s * 1000)) + " ms";
  return with_one_decimal(s, "s");
}

std::string subject_text(const RuleOptions& rule, const Series& series) {
  std::string subject;
  switch (rule.statistic) {
    case RuleOptions::Statistic::last: break;
    case RuleOptions::Statistic::mean: subject = "mean of "; break;
    case RuleOptions::Statistic::max: subject = "maximum of "; break;
    case RuleOptions::Statistic::min: subject = "minimum of "; break;
    case RuleOptions::Statistic::p95: subject = "95th percentile of "; break;
    case RuleOptions::Statistic::rate: subject = "rate of "; break;
  }
  const std::string name = to_text(series);
  const std::string_view kept = cut(name, kSubjectBytesMax);
  subject += kept;
  if (kept.size() < name.size()) subject += "...";
  return subject;
}

std::string quantity_text(const RuleOptions& rule, const Series& series, double value) {
  std::string text = number_text(value);
  if (!series.unit.empty()) {
    text += " ";
    text += cut(series.unit, 64);
  }
  if (rule.statistic == RuleOptions::Statistic::rate) text += " per second";
  return text;
}

std::string fit_message(std::string message) {
  message.resize(cut(message, Event::kMessageBytesMax).size());
  return message;
}

}  // namespace fieldpost
