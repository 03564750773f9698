// SPDX-License-Identifier: Apache-2.0
// Samples as Prometheus text. Order and number format are those of node_exporter (client_golang):
// families by name, samples of a family by their label values, numbers as Go prints them.
#include "hal/exposition.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <map>

#include "platform/number.hpp"

namespace fieldpost {
namespace {

/// Go's 'g' with shortest precision turns to exponents here.
constexpr int kExponentMin = -4;
constexpr int kExponentEnd = 6;

/// Lays out decimal digits (no leading or trailing zeros but for "0") with the point after the
/// first digit times ten to `exponent`, the way Go does.
std::string lay_out(bool negative, std::string_view digits, int exponent) {
  std::string text = negative ? "-" : "";
  if (exponent < kExponentMin || exponent >= kExponentEnd) {
    text += digits[0];
    if (digits.size() > 1) {
      text += '.';
      text += digits.substr(1);
    }
    text += exponent < 0 ? "e-" : "e+";
    const int magnitude = std::abs(exponent);
    if (magnitude < 10) text += '0';
    return text + std::to_string(magnitude);
  }
  if (exponent < 0) {
    text += "0.";
    text.append(static_cast<std::size_t>(-exponent - 1), '0');
    text += digits;
    return text;
  }
  const auto whole = static_cast<std::size_t>(exponent) + 1;
  if (digits.size() <= whole) {
    text += digits;
    text.append(whole - digits.size(), '0');
    return text;
  }
  text += digits.substr(0, whole);
  text += '.';
  text += digits.substr(whole);
  return text;
}

std::string_view without_trailing_zeros(std::string_view digits) {
  while (digits.size() > 1 && digits.back() == '0') digits.remove_suffix(1);
  return digits;
}

std::string integer_text(std::int64_t value) {
  std::array<char, 24> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr;
  std::string_view digits{buffer.data(), static_cast<std::size_t>(end - buffer.data())};
  const bool negative = digits.front() == '-';
  if (negative) digits.remove_prefix(1);
  const int exponent = static_cast<int>(digits.size()) - 1;
  return lay_out(negative, without_trailing_zeros(digits), exponent);
}

std::string real_text(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  if (value == 0) return std::signbit(value) ? "-0" : "0";
  const std::string text = shortest_text(std::abs(value));  // "120", "0.00012", "1.2e+30"
  const std::size_t e = std::min(text.find('e'), text.size());
  const std::size_t point = std::min(text.find('.'), e);
  int exponent = static_cast<int>(point) - 1;
  if (e < text.size()) exponent += std::atoi(text.c_str() + e + 1);
  std::string digits = text.substr(0, point);
  if (point < e) digits += text.substr(point + 1, e - point - 1);
  const std::size_t leading_zeros = digits.find_first_not_of('0');
  return lay_out(std::signbit(value), without_trailing_zeros(digits.substr(leading_zeros)),
                 exponent - static_cast<int>(leading_zeros));
}

/// HELP texts escape the backslash and the line feed only.
void append_help(std::string& text, std::string_view help) {
  for (const char c : help) {
    if (c == '\\') text += "\\\\";
    else if (c == '\n') text += "\\n";
    else text += c;
  }
}

bool labels_before(const Series& a, const Series& b) {
  if (a.labels.size() != b.labels.size()) return a.labels.size() < b.labels.size();
  for (std::size_t i = 0; i < a.labels.size(); ++i) {
    if (a.labels[i].value != b.labels[i].value) return a.labels[i].value < b.labels[i].value;
  }
  return false;
}

}  // namespace

std::string to_prometheus_number(const Value& value) {
  return value.is_integer() ? integer_text(value.integer()) : real_text(value.real());
}

std::string to_prometheus_text(const SeriesTable& table, std::span<const Sample> samples) {
  // A name and label set may stand only once: the last sample of a series is shown.
  std::map<SeriesId, const Sample*> latest;
  for (const Sample& sample : samples) latest[sample.series] = &sample;

  std::map<std::string_view, std::vector<const Sample*>> families;
  for (const auto& [id, sample] : latest) families[table[id].name].push_back(sample);

  std::string text;
  for (auto& [name, members] : families) {
    std::stable_sort(members.begin(), members.end(), [&](const Sample* a, const Sample* b) {
      return labels_before(table[a->series], table[b->series]);
    });
    const Series& first = table[members.front()->series];
    text += "# HELP ";
    text += name;
    text += ' ';
    append_help(text, first.help);
    text += "\n# TYPE ";
    text += name;
    text += first.kind == SeriesKind::counter ? " counter\n" : " gauge\n";
    for (const Sample* sample : members) {
      text += to_text(table[sample->series]);
      text += ' ';
      text += to_prometheus_number(sample->value);
      text += '\n';
    }
  }
  return text;
}

}  // namespace fieldpost
