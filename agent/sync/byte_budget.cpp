// SPDX-License-Identifier: Apache-2.0
// Two accounts: a bucket that fills every second, and a day that begins when it was first drawn upon.
#include "agent/sync/byte_budget.hpp"

#include <algorithm>

#include "platform/json.hpp"

namespace fieldpost {
namespace {

double in_seconds(nanoseconds time) { return std::chrono::duration<double>(time).count(); }

nanoseconds seconds_of(double seconds) { return std::chrono::ceil<nanoseconds>(std::chrono::duration<double>(seconds)); }

/// A burst of alerts must not stop everything else for ever.
constexpr double kDebtSeconds = 10;

/// Of messages: what exceeds a service's limit within any second counts, not the mean.
constexpr double kBurstSeconds = 0.1;

constexpr double kReserveForLive = 0.5;

constexpr std::int64_t kDayMs = std::chrono::duration_cast<milliseconds>(ByteBudget::kDay).count();
constexpr std::int64_t kUtcMsMax = 4'102'444'800'000;  ///< 2100: what lies beyond is no time, and would overflow

}  // namespace

ByteBudget::ByteBudget(const Clock& clock, ByteLimits limits)
    : clock_{clock}, limits_{limits}, second_left_{static_cast<double>(limits.per_second)}, messages_left_{1}, second_since_{clock.now()}, day_began_{clock.now()} {}

nanoseconds ByteBudget::wait(Claim claim) {
  const nanoseconds turn = wait_for_message();
  if (claim == Claim::alert) return turn;
  return std::max({turn, wait_for_second(), wait_for_day(claim)});
}

nanoseconds ByteBudget::wait_for_message() {
  if (limits_.messages_per_second <= 0) return nanoseconds{0};
  pass_time();
  return messages_left_ >= 1 ? nanoseconds{0} : seconds_of((1 - messages_left_) / limits_.messages_per_second);
}

nanoseconds ByteBudget::wait_for_second() {
  if (limits_.per_second == 0) return nanoseconds{0};
  pass_time();
  return second_left_ > 0 ? nanoseconds{0} : seconds_of((1 - second_left_) / static_cast<double>(limits_.per_second));
}

nanoseconds ByteBudget::wait_for_day(Claim claim) {
  if (limits_.per_day == 0) return nanoseconds{0};
  pass_time();
  const nanoseconds rest = day_began_ + kDay - clock_.now();
  const std::int64_t left = limits_.per_day - day_used_;
  if (left <= 0) return rest;
  if (claim == Claim::live) return nanoseconds{0};
  // The backlog may go when what the live readings still have is less than what is left.
  const double share = static_cast<double>(left) / static_cast<double>(limits_.per_day) / kReserveForLive;
  const double until = in_seconds(kDay) * std::min(share, 1.0);
  return in_seconds(rest) <= until ? nanoseconds{0} : seconds_of(in_seconds(rest) - until);
}

void ByteBudget::spend(std::size_t bytes) {
  pass_time();
  const auto rate = static_cast<double>(limits_.per_second);
  second_left_ = std::max(second_left_ - static_cast<double>(bytes), -kDebtSeconds * rate - static_cast<double>(bytes));
  messages_left_ -= 1;
  day_used_ += static_cast<std::int64_t>(bytes);
}

void ByteBudget::pass_time() {
  const BootTime now = clock_.now();
  const auto rate = static_cast<double>(limits_.per_second);
  second_left_ = std::min(second_left_ + in_seconds(now - second_since_) * rate, rate);
  messages_left_ = std::min(messages_left_ + in_seconds(now - second_since_) * limits_.messages_per_second,
                            std::max(1.0, limits_.messages_per_second * kBurstSeconds));
  second_since_ = now;
  if (day_began_utc_) {
    const UtcReading utc = clock_.utc();
    if (utc.synchronised) {
      day_began_ = now - std::clamp<nanoseconds>(utc.time - *day_began_utc_, std::min<nanoseconds>(now - day_began_, kDay), kDay);
      day_began_utc_.reset();
    }
  }
  if (now - day_began_ >= kDay) {
    day_began_ = now;
    day_used_ = 0;
    day_began_utc_.reset();
  }
}

std::int64_t ByteBudget::used_today() const {
  ByteBudget by_now{*this};
  by_now.pass_time();
  return by_now.day_used_;
}

nanoseconds ByteBudget::resets_in() const {
  ByteBudget by_now{*this};
  by_now.pass_time();
  return by_now.day_began_ + kDay - clock_.now();
}

std::string ByteBudget::to_text() {
  pass_time();
  const BootTime now = clock_.now();
  const UtcReading utc = clock_.utc();
  JsonWriter json;
  json.begin_object().member("used", day_used_).member("boot", clock_.boot_id());
  json.member("began_boot_ms", std::chrono::floor<milliseconds>(day_began_.time_since_epoch()).count());
  json.member("age_ms", std::chrono::floor<milliseconds>(now - day_began_).count());
  if (utc.synchronised) json.member("began_utc_ms", std::chrono::floor<milliseconds>((utc.time - (now - day_began_)).time_since_epoch()).count());
  json.end_object();
  return std::move(json).take() + "\n";
}

void ByteBudget::restore(std::string_view text) {
  const auto json = Json::parse(text);
  if (!json) return;
  const auto integer = [&](std::string_view key) {
    const auto member = json->at(key);
    return member ? member->integer() : std::nullopt;
  };
  const auto used = integer("used");
  const auto age = integer("age_ms");
  const BootTime now = clock_.now();
  const auto boot = json->at("boot");
  if (!used || *used < 0 || !age || *age < 0 || *age > kDayMs || !boot) return;
  nanoseconds passed = milliseconds{*age};
  if (boot->string() == clock_.boot_id()) {
    const auto began = integer("began_boot_ms");
    if (!began || *began < 0 || *began > std::chrono::floor<milliseconds>(now.time_since_epoch()).count()) return;
    passed = now - BootTime{milliseconds{*began}};
  } else if (const auto began = integer("began_utc_ms"); began && *began > 0 && *began < kUtcMsMax) {
    day_began_utc_ = UtcTime{milliseconds{*began}};
  }
  day_began_ = now - passed;
  day_used_ = *used;
  pass_time();
}

}  // namespace fieldpost
