// SPDX-License-Identifier: Apache-2.0
// Third stage: passes readings on and raises an event when a number of theirs crosses a threshold,
// when it is back, and when readings stay away. Every series that a rule matches has a state of its
// own; an event is raised only when that state changes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "agent/aggregate/reading.hpp"
#include "agent/rules/event_sink.hpp"
#include "agent/rules/rule_options.hpp"
#include "hal/series.hpp"

namespace fieldpost {

/// Since start.
struct RulesCounts {
  std::uint64_t readings = 0;
  std::uint64_t compared = 0;      ///< pairs of reading and rule
  std::uint64_t incomparable = 0;  ///< pairs where the reading lacks the statistic, or it is NaN
  std::uint64_t events = 0;
  std::uint64_t unwatched = 0;     ///< pairs of series and rule left out at kStatesMax
};

class Rules final : public ReadingSink {
 public:
  /// Pairs of series and rule that can be watched: bounds memory at about one megabyte.
  static constexpr std::size_t kStatesMax = 10'000;
  static constexpr std::size_t kRulesMax = 1'000;

  /// Everything lent outlives the stage. Requires: check() passed for each rule; rules beyond
  /// kRulesMax are left out (the configuration refuses them).
  Rules(const SeriesTable& series, std::vector<RuleOptions> rules, ReadingSink& next,
        EventSink& events);

  void accept(const Sample& sample) override;
  void accept(const Summary& summary) override;

  /// From now on readings pass unjudged: what an orderly stop closes early is no whole window.
  void stop() noexcept { stopped_ = true; }

  /// Looks for silence. To be called every second or so.
  void advance(BootTime now);

  const RulesCounts& counts() const noexcept { return counts_; }
  /// Alarms that are on now, for `status` and the self series.
  std::size_t active() const noexcept { return active_; }

 private:
  enum class Level : std::uint8_t { none, warn, critical };
  enum class Side : std::uint8_t { above, below };

  struct State {
    SeriesId series{};
    std::uint16_t rule = 0;
    Level level = Level::none;
    Side side = Side::above;   ///< which side the level is about
    bool is_silent = false;
    bool has_previous = false;
    bool holds_warn = false;   ///< condition true without a break since holds_warn_since
    bool holds_critical = false;
    BootTime holds_warn_since;
    BootTime holds_critical_since;
    BootTime seen;             ///< newest reading
    Value previous;            ///< for the rate between plain samples
    BootTime previous_at;
  };

  struct Candidate {
    Level level = Level::none;
    Side side = Side::above;
  };

  /// The states of one series lie side by side: they are made together at its first reading.
  struct Span {
    std::uint32_t first = 0;
    std::uint32_t count = 0;
    bool known = false;
  };

  Span states_of(SeriesId id, BootTime time);
  void match(SeriesId id, BootTime time);
  void note_data(State& state, BootTime time);
  void compare_rate(State& state, const Summary& summary);
  void compare(State& state, double value, BootTime time);
  Candidate candidate(const RuleOptions& rule, const State& state, double value) const;
  void change(State& state, Candidate to, double value, BootTime time);
  void raise(Event event);

  const SeriesTable& series_;
  std::vector<RuleOptions> rules_;
  ReadingSink& next_;
  EventSink& events_;
  std::vector<Span> spans_;    ///< by series
  std::vector<State> states_;

  /// Rules with a dead-man: has any series matched yet, and was its absence told?
  struct Presence {
    bool matched = false;
    bool absence_told = false;
  };
  std::vector<Presence> presence_;
  bool started_ = false;
  BootTime started_at_;
  bool any_deadman_ = false;

  std::size_t active_ = 0;
  bool stopped_ = false;
  RulesCounts counts_;
};

}  // namespace fieldpost
