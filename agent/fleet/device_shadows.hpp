// SPDX-License-Identifier: Apache-2.0
// The shadow conversation, as AWS IoT's Device Shadow service holds it with a device: get, update, delete; the delta.
// What follows PREFIX/DEVICE/shadow/ in a topic is the "place"; the classic shadow and named ones ("name/N/get").
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "agent/fleet/device_jobs.hpp"
#include "agent/fleet/fleet_database.hpp"

namespace fieldpost {

class DeviceShadows {
 public:
  static constexpr std::size_t kAroundBytesMax = 1024;  ///< of an update: what is neither desired nor reported
  static constexpr std::size_t kNameBytesMax = 64;
  static constexpr std::size_t kNamesMax = 16;  ///< of one device

  /// `database` is lent and outlives it.
  DeviceShadows(FleetDatabase& database, SayToDevice say) : database_{database}, say_{std::move(say)} {}

  /// `now`: seconds of UTC. 0, or the code of the refusal.
  int receive(const std::string& device, std::string_view place, std::string_view payload, std::int64_t now);

  /// Of desired and of reported, each: what the devices count on.
  static std::size_t state_bytes_max() noexcept;

  /// The whole document, without timestamp; nothing if there is none.
  std::optional<std::string> document(const std::string& device, const std::string& name);

 private:
  struct Refusal {
    int code = 0;  ///< 0: none
    std::string_view message;
  };
  struct Shadow {
    std::int64_t version = 0;
    bool exists = false;  ///< or was deleted, and the version counts on
    std::string desired;
    std::string reported;
  };
  Shadow find(const std::string& device, const std::string& name);
  void write_state(JsonWriter& json, const Shadow& shadow);
  Refusal update(const std::string& device, const std::string& name, const Json& body, Shadow& shadow, std::int64_t now);

  FleetDatabase& database_;
  SayToDevice say_;
};

}  // namespace fieldpost
