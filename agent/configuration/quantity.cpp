// SPDX-License-Identifier: Apache-2.0
// Both kinds are a number times a unit from a table, checked for overflow before multiplying.
#include "agent/configuration/quantity.hpp"

#include <charconv>
#include <limits>
#include <span>

namespace fieldpost {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t factor;
};

// Largest first: the text form takes the first that divides.
constexpr Unit kTimeUnits[] = {
    {"d", 86'400'000'000'000}, {"h", 3'600'000'000'000}, {"m", 60'000'000'000},
    {"s", 1'000'000'000},      {"ms", 1'000'000},        {"us", 1'000},
    {"ns", 1},
};
constexpr Unit kSizeUnits[] = {
    {"GiB", 1LL << 30}, {"MiB", 1LL << 20}, {"KiB", 1LL << 10}, {"GB", 1'000'000'000},
    {"MB", 1'000'000},  {"kB", 1'000},      {"B", 1},
};

Result<std::int64_t> parse(std::string_view text, std::span<const Unit> units,
                           std::string_view wanted) {
  const auto malformed = [&] {
    return Error{ErrorKind::Malformed,
                 "\"" + std::string{text} + "\" is not " + std::string{wanted}};
  };
  std::int64_t number = 0;
  const auto [rest, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (fault == std::errc::result_out_of_range) {
    return Error{ErrorKind::OutOfRange, "\"" + std::string{text} + "\" is too large"};
  }
  if (fault != std::errc{} || number < 0) return malformed();
  std::string_view unit_name = text.substr(static_cast<std::size_t>(rest - text.data()));
  while (!unit_name.empty() && unit_name.front() == ' ') unit_name.remove_prefix(1);
  for (const Unit& unit : units) {
    if (unit.name != unit_name) continue;
    if (number > std::numeric_limits<std::int64_t>::max() / unit.factor) {
      return Error{ErrorKind::OutOfRange, "\"" + std::string{text} + "\" is too large"};
    }
    return number * unit.factor;
  }
  return malformed();
}

std::string print(std::int64_t amount, std::span<const Unit> units) {
  for (const Unit& unit : units) {
    if (amount != 0 && amount % unit.factor == 0) {
      return std::to_string(amount / unit.factor) + std::string{unit.name};
    }
  }
  return "0" + std::string{units.back().name};
}

}  // namespace

Result<nanoseconds> parse_duration(std::string_view text) {
  return nanoseconds{
      TRY(parse(text, kTimeUnits, "a duration such as \"10s\", \"500ms\", \"5m\" or \"30d\""))};
}

Result<std::int64_t> parse_size(std::string_view text) {
  return parse(text, kSizeUnits, "a size such as \"256MiB\" or \"64KiB\"");
}

std::string to_duration_text(nanoseconds duration) {
  if (duration == nanoseconds::zero()) return "0s";
  return print(duration.count(), kTimeUnits);
}

std::string to_size_text(std::int64_t bytes) { return print(bytes, kSizeUnits); }

}  // namespace fieldpost
