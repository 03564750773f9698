// SPDX-License-Identifier: Apache-2.0
// After BBR (Cardwell et al., 2016), with messages for packets: rate from what was delivered between two acknowledgements,
// round trip as the shortest of the last minute.
#include "agent/link/pace.hpp"

#include <algorithm>

namespace fieldpost {

Pace::Mark Pace::published(BootTime now, std::size_t bytes) {
  Mark mark = this->mark(now, bytes);
  if (on_its_way_ == 0) {
    empty_at_ = now;
    if (now - round_trip_since_ >= kLookAgainEvery) {
      // Over a long road one message at a time shows no more than its own rate, for ever: one more now and then does.
      if (rate_ > 0) probe_ = std::max(window(), static_cast<double>(bytes)) + static_cast<double>(bytes);
      round_trip_before_ = round_trip_;
      round_trip_ = kUnknown;
      round_trip_since_ = now;
    }
  }
  on_its_way_ += bytes;
  mark.is_limited = 2 * static_cast<double>(on_its_way_) >= window();
  return mark;
}

Pace::Mark Pace::published_urgent(BootTime now, std::size_t bytes) {
  Mark mark = this->mark(now, bytes);
  urgent_ += bytes;
  mark.is_urgent = true;
  return mark;
}

Pace::Mark Pace::mark(BootTime now, std::size_t bytes) {
  if (on_its_way_ + urgent_ == 0) delivered_at_ = sent_at_ = now;
  return {bytes, now, delivered_at_, sent_at_, delivered_};
}

void Pace::acknowledged(BootTime now, const Mark& message) {
  std::size_t& on_its_way = message.is_urgent ? urgent_ : on_its_way_;
  on_its_way -= std::min(on_its_way, message.bytes);
  delivered_ += message.bytes;
  delivered_at_ = now;
  sent_at_ = message.published;
  probe_ = 0;
  round_trip_ = std::min(round_trip_, now - message.published);
  // Acknowledgements come in bursts (a broker's Nagle waits for our TCP, whose own acknowledgement stands in the queue of a slow
  // uplink): what was published over a longer time than it was acknowledged in went at the slower of the two.
  const nanoseconds took = std::max(now - message.since, message.published - message.sent_since);
  const auto time = std::chrono::duration<double>(std::max<nanoseconds>(took, milliseconds{1}));
  const double rate = static_cast<double>(delivered_ - message.delivered) / time.count();
  if (rate > rate_) {
    rate_ = rate;
  } else if (message.is_limited) {
    constexpr double kWeight = 0.125;
    rate_ += kWeight * (rate - rate_);
  }
}

double Pace::window() const {
  if (rate_ == 0) return kWindowFirst;
  const nanoseconds time = std::min(round_trip_, round_trip_before_) + kAhead;
  return std::max<double>(kWindowMin, rate_ * std::chrono::duration<double>(time).count());
}

std::size_t Pace::room(BootTime now) const {
  if (on_its_way_ == 0) return kUnbounded;
  if (now - empty_at_ >= kLookAgainEvery) return 0;
  const double bytes = std::max(probe_, window()) - static_cast<double>(on_its_way_ + urgent_);
  constexpr double kMost = 1U << 30U;
  return static_cast<std::size_t>(std::clamp(bytes, 0.0, kMost));
}

}  // namespace fieldpost
