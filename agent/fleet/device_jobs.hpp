// SPDX-License-Identifier: Apache-2.0
// The jobs conversation with the devices, as AWS IoT Jobs holds it: get, start-next, describe, update; notify and
// notify-next; the step timer and the job's own. What follows PREFIX/DEVICE/jobs/ in a topic is the "place".
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "agent/fleet/execution_state.hpp"
#include "agent/fleet/fleet_database.hpp"
#include "platform/json.hpp"

namespace fieldpost {

/// Publishes below PREFIX/DEVICE/, once what is said is durable.
using SayToDevice = std::function<void(const std::string& device, const std::string& place, std::string payload)>;

class DeviceJobs {
 public:
  static constexpr std::size_t kRequestBytesMax = 32U << 10U;
  static constexpr std::int64_t kTimeoutMinutesMax = 10'080;
  static constexpr std::size_t kPendingMax = 10;  ///< of each kind in a list
  static constexpr std::int64_t kReportSeconds = 660;  ///< a device repeats what was not answered after at most 645

  /// `database` is lent and outlives it.
  DeviceJobs(FleetDatabase& database, SayToDevice say) : database_{database}, say_{std::move(say)} {}

  /// `now`: seconds of UTC.
  void receive(const std::string& device, std::string_view place, std::string_view payload, std::int64_t now);

  /// Of the device's list, what is first: its job, or empty.
  std::string head(const std::string& device);
  /// The list has gained or lost something; `before` was first.
  void list_changed(const std::string& device, const std::string& before, std::int64_t now);
  /// What is first, whether or not it is new: for a device that may have missed it. Without the document, which the
  /// device gets when it asks: twenty thousand that are told at once would be 640 MiB.
  void notify_next(const std::string& device, std::int64_t now);
  /// Ends what has run out of time.
  void expire(std::int64_t now);
  /// Nobody could report for a while: what ran out meanwhile, or is about to, has kReportSeconds from now.
  void excuse(std::int64_t now);
  /// Whether any execution was moved since this was last asked.
  bool take_moved() noexcept { return std::exchange(moved_, false); }
  /// Of every execution of `job` that has this status. Gives how many.
  std::int64_t cancel(const std::string& job, std::string_view status, std::int64_t now);

 private:
  struct Request;
  void list(const Request& request);
  void start_next(const Request& request);
  void describe(const Request& request, const std::string& job);
  void update(const Request& request, const std::string& job);
  /// `step`: minutes of the step timer; 0 leaves it as it is, -1 ends it.
  void move(const Request& request, const std::string& job, ExecutionState to, const std::string& details, std::int64_t step);
  void accept(const Request& request, JsonWriter& json);
  void reject(const Request& request, std::string_view code, std::string_view message, const std::string* job = nullptr);
  void write_execution(JsonWriter& json, const std::string& device, const std::string& job, bool with_document);
  void write_state(JsonWriter& json, const std::string& device, const std::string& job);
  void write_list(JsonWriter& json, const char* key, const std::string& device, std::string_view status);

  FleetDatabase& database_;
  SayToDevice say_;
  bool moved_ = true;
};

}  // namespace fieldpost
