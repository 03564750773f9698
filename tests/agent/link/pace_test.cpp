// SPDX-License-Identifier: Apache-2.0
// The pace against a link that is a rate, a road's length and a queue without a bound.
#include "agent/link/pace.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>

namespace fieldpost {
namespace {

constexpr milliseconds kShort{50};

/// Messages of one size are published as fast as the pace lets them.
class Drain {
 public:
  Drain(double bytes_per_second, nanoseconds road, std::size_t message_bytes)
      : rate{bytes_per_second}, round_trip{road}, message_bytes_{message_bytes} {}

  void run(nanoseconds time) {
    delivered = 0;
    longest_wait = nanoseconds{0};
    const BootTime end = now_ + time;
    while (now_ < end) {
      while (pace.room(now_) >= message_bytes_) publish();
      now_ = std::max(now_, way_.front().acknowledged);
      delivered += static_cast<double>(way_.front().mark.bytes);
      pace.acknowledged(now_, way_.front().mark);
      way_.pop_front();
    }
    used = delivered / (rate * std::chrono::duration<double>(time).count());
  }

  Pace pace;
  double rate;
  nanoseconds round_trip;
  double delivered = 0;
  double used = 0;                          ///< of the link, over the latest run
  nanoseconds longest_wait{0};              ///< that an alert would have had to arrive

 private:
  struct OnTheWay {
    Pace::Mark mark;
    BootTime acknowledged;
  };

  void publish() {
    const auto takes = std::chrono::duration_cast<nanoseconds>(std::chrono::duration<double>(static_cast<double>(message_bytes_) / rate));
    link_free_ = std::max(link_free_, now_) + takes;
    way_.push_back({pace.published(now_, message_bytes_), link_free_ + round_trip});
    longest_wait = std::max(longest_wait, link_free_ - now_);
  }

  std::size_t message_bytes_;
  BootTime now_{seconds{100}};
  BootTime link_free_{};
  std::deque<OnTheWay> way_;
};

TEST(Pace, UsesASlowLinkAndLetsNothingWaitLongerThanAboutASecondOnIt) {
  Drain drain{8'000, kShort, 1'000};
  drain.run(seconds{300});
  EXPECT_GT(drain.used, 0.95);
  drain.run(seconds{300});
  EXPECT_GT(drain.used, 0.95);
  EXPECT_LT(drain.longest_wait, milliseconds{1'700});  // one message more after each look at the round trip
}

TEST(Pace, AMessageThatTakesTheLinkLongerThanASecondGoesAloneButNowAndThen) {
  Drain drain{8'000, kShort, 16'000};
  drain.run(seconds{600});
  EXPECT_GT(drain.used, 0.95);
  EXPECT_LT(drain.longest_wait, milliseconds{6'100});
}

TEST(Pace, FillsAFastLinkAndALongRoad) {
  Drain fast{10e6, milliseconds{2}, 20'000};
  fast.run(seconds{10});
  EXPECT_GT(fast.used, 0.95);
  Drain distant{100'000, milliseconds{600}, 4'000};
  distant.run(seconds{10});
  distant.run(seconds{300});
  EXPECT_GT(distant.used, 0.9);
}

TEST(Pace, ARoadOfSecondsIsFilledInTheEnd) {
  Drain drain{100'000, seconds{4}, 20'000};
  drain.run(seconds{600});
  drain.run(seconds{600});
  EXPECT_GT(drain.used, 0.7);  // of 30 s it waits 4 for all to arrive, and then begins anew
}

TEST(Pace, FollowsALinkThatBecomesSlowerAndFasterAgain) {
  Drain drain{1e6, kShort, 4'000};
  drain.run(seconds{60});
  drain.rate = 8'000;
  drain.run(seconds{300});
  drain.run(seconds{60});
  EXPECT_GT(drain.used, 0.95);
  EXPECT_LT(drain.longest_wait, seconds{4});
  drain.rate = 1e6;
  drain.run(seconds{10});
  drain.run(seconds{60});
  EXPECT_GT(drain.used, 0.95);
}

TEST(Pace, FollowsARoadThatBecomesLonger) {
  Drain drain{1e6, kShort, 4'000};
  drain.run(seconds{60});
  drain.round_trip = seconds{2};
  drain.run(seconds{120});
  drain.run(seconds{120});
  EXPECT_GT(drain.used, 0.8);
}

/// Ten minutes of messages of 1,500 bytes beside alerts of 500.
struct BesideAlerts {
  double bytes_per_second;
  nanoseconds road;
  nanoseconds alert_every;
  nanoseconds acknowledged_every;  ///< the broker's acknowledgements come in bursts

  double used = 0;  ///< of the link, by what is no alert
  nanoseconds longest_wait{0};  ///< that an alert had to arrive

  void run() {
    constexpr nanoseconds kStep = milliseconds{10};
    Pace pace;
    std::multimap<BootTime, Pace::Mark> way;
    double delivered = 0;
    BootTime link_free{};
    const BootTime begin{seconds{100}};
    for (BootTime now = begin; now < begin + seconds{600}; now += kStep) {
      const nanoseconds time = now - begin;
      while (time % acknowledged_every == nanoseconds{0} && !way.empty() && way.begin()->first <= now) {
        if (!way.begin()->second.is_urgent) delivered += static_cast<double>(way.begin()->second.bytes);
        pace.acknowledged(now, way.begin()->second);
        way.erase(way.begin());
      }
      const auto arrives = [&](double bytes) {
        link_free = std::max(link_free, now) + std::chrono::duration_cast<nanoseconds>(std::chrono::duration<double>(bytes / bytes_per_second));
        return link_free + road;
      };
      if (time % alert_every == nanoseconds{0}) {
        way.emplace(arrives(500), pace.published_urgent(now, 500));
        if (time > seconds{60}) longest_wait = std::max(longest_wait, link_free - now);
      }
      while (pace.room(now) >= 1'500) way.emplace(arrives(1'500), pace.published(now, 1'500));
    }
    used = delivered / (600 * bytes_per_second);
  }
};

TEST(Pace, AlertsWithoutAnEndDoNotEndTheOthers) {
  // There always is one on its way.
  BesideAlerts road{.bytes_per_second = 50'000, .road = milliseconds{600}, .alert_every = milliseconds{500}, .acknowledged_every = milliseconds{10}};
  road.run();
  EXPECT_GT(road.used, 0.85);
}

TEST(Pace, AlertsAmongAcknowledgementsThatComeInBurstsDoNotMakeASlowLinkPassForAFastOne) {
  BesideAlerts road{.bytes_per_second = 8'000, .road = milliseconds{50}, .alert_every = milliseconds{970}, .acknowledged_every = milliseconds{700}};
  road.run();
  EXPECT_GT(road.used, 0.85);
  EXPECT_LT(road.longest_wait, milliseconds{2'500});
}

TEST(Pace, TakesNoBurstOfAcknowledgementsAfterASilenceForAFastLink) {
  Pace pace;
  BootTime now{seconds{100}};
  const Pace::Mark first = pace.published(now, 4'000);
  const Pace::Mark second = pace.published(now, 4'000);
  const Pace::Mark third = pace.published(now + seconds{10}, 100);
  now += milliseconds{10'010};
  for (const auto& mark : {first, second, third}) pace.acknowledged(now, mark);
  EXPECT_LT(pace.rate(), 1'000);
}

TEST(Pace, ALinkThatIsHardlyUsedIsNotTakenForASlowOne) {
  Pace pace;
  BootTime now{seconds{100}};
  pace.acknowledged(now + milliseconds{100}, pace.published(now, 100'000));
  const double rate = pace.rate();
  for (int i = 0; i < 100; ++i) {
    now += seconds{10};
    pace.acknowledged(now + milliseconds{100}, pace.published(now, 200));
  }
  EXPECT_DOUBLE_EQ(pace.rate(), rate);
}

TEST(Pace, WithNothingOnItsWayTheRoomHasNoBoundAndBeforeTheFirstAcknowledgementItIsSmall) {
  Pace pace;
  const BootTime now{seconds{100}};
  EXPECT_EQ(pace.room(now), Pace::kUnbounded);
  pace.published(now, 1'000);
  EXPECT_EQ(pace.room(now), Pace::kWindowFirst - 1'000);
  pace.restart();
  EXPECT_EQ(pace.room(now), Pace::kUnbounded);
}

}  // namespace
}  // namespace fieldpost
