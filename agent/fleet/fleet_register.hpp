// SPDX-License-Identifier: Apache-2.0
// Who is in the fleet: devices that were heard of, and the labels (groups) that the operator gives them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "agent/fleet/fleet_database.hpp"
#include "platform/result.hpp"

namespace fieldpost {

class FleetRegister {
 public:
  static constexpr std::int64_t kDevicesMax = 100'000;
  static constexpr std::size_t kNameBytesMax = 128;
  static constexpr std::size_t kPageBytes = 256U << 10U;

  /// `database` is lent and outlives it.
  explicit FleetRegister(FleetDatabase& database) : database_{database} {}

  /// Whether it may be a device's or a group's: one level of a topic, without wildcards, blanks or control characters.
  static bool is_name(std::string_view text) noexcept;

  /// A message came from it. False if it is not to be served: a name that is none, or one too many.
  bool heard(const std::string& device, std::int64_t now);
  /// Its presence document, its own or, retained or as its will, the broker's. True if it was not there and now is.
  bool presence(const std::string& device, std::string_view payload, std::int64_t now);

  /// Gives the devices a label, or takes it away. A word with * or ? means all known devices that match.
  /// Errors: OutOfRange (no name), NotPresent (nothing matches)
  Result<std::int64_t> label(const std::string& group, const std::vector<std::string>& words, bool remove);
  /// Errors: NotPresent (no such device; nothing matches; an empty group), OutOfRange
  Result<std::vector<std::string>> devices_of(const std::string& group, const std::vector<std::string>& words, bool all);

  /// Those after `after`, by name, until there are kPageBytes of them.
  void write_devices(JsonWriter& json, const std::string& group, const std::string& after);
  void write_groups(JsonWriter& json);

 private:
  /// Errors: NotPresent, OutOfRange
  Result<std::vector<std::string>> matching(const std::vector<std::string>& words, bool unknown_allowed);

  FleetDatabase& database_;
};

}  // namespace fieldpost
