// SPDX-License-Identifier: Apache-2.0
// See rules.hpp. A comparison is three steps: which level the value asks for (with hysteresis only
// on the side that is in alarm), whether it has asked for long enough, and what then changes.
#include "agent/rules/rules.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "agent/rules/sentences.hpp"
#include "hal/counter_step.hpp"
#include "platform/glob.hpp"

namespace fieldpost {
namespace {

using Statistic = RuleOptions::Statistic;

constexpr double kNoNumber = std::numeric_limits<double>::quiet_NaN();

bool matches(const RuleOptions& rule, const Series& series) {
  if (!matches_glob(rule.metric, series.name)) return false;
  return std::all_of(rule.labels.begin(), rule.labels.end(), [&](const Label& wanted) {
    const auto label = std::find_if(series.labels.begin(), series.labels.end(),
                                    [&](const Label& has) { return has.name == wanted.name; });
    return matches_glob(wanted.value, label == series.labels.end() ? "" : label->value);
  });
}

std::optional<double> quantile(const Summary& summary, double rank) {
  for (const Quantile& each : summary.quantiles) {
    if (std::fabs(each.rank - rank) < 1e-9) return each.value;
  }
  return std::nullopt;
}

std::string series_pattern(const RuleOptions& rule) {
  Series pattern;
  pattern.name = rule.metric;
  pattern.labels = rule.labels;
  return to_text(pattern);
}

}  // namespace

Rules::Rules(const SeriesTable& series, std::vector<RuleOptions> rules, ReadingSink& next,
             EventSink& events)
    : series_{series}, rules_{std::move(rules)}, next_{next}, events_{events} {
  if (rules_.size() > kRulesMax) rules_.resize(kRulesMax);
  presence_.resize(rules_.size());
  for (const RuleOptions& rule : rules_) {
    any_deadman_ = any_deadman_ || rule.no_data_after > nanoseconds{0};
  }
}

void Rules::accept(const Sample& sample) {
  next_.accept(sample);
  ++counts_.readings;
  const Span span = states_of(sample.series, sample.time);
  for (std::uint32_t i = 0; i < span.count; ++i) {
    State& state = states_[span.first + i];
    note_data(state, sample.time);
    if (rules_[state.rule].statistic != Statistic::rate) {
      compare(state, sample.value.real(), sample.time);
      continue;
    }
    const Series& series = series_[sample.series];
    if (state.has_previous && sample.time > state.previous_at) {
      const double elapsed =
          std::chrono::duration<double>(sample.time - state.previous_at).count();
      const double change = series.kind == SeriesKind::counter
                                ? counter_step(series.wraps_at, state.previous, sample.value).amount()
                                : sample.value.real() - state.previous.real();
      compare(state, change / elapsed, sample.time);
    }
    if (!state.has_previous || sample.time > state.previous_at) {
      state.has_previous = true;
      state.previous = sample.value;
      state.previous_at = sample.time;
    }
  }
}

void Rules::accept(const Summary& summary) {
  next_.accept(summary);
  if (stopped_) return;
  ++counts_.readings;
  const Span span = states_of(summary.series, summary.end);
  for (std::uint32_t i = 0; i < span.count; ++i) {
    State& state = states_[span.first + i];
    note_data(state, summary.end);
    switch (rules_[state.rule].statistic) {
      case Statistic::last: compare(state, summary.last.real(), summary.end); break;
      case Statistic::mean: compare(state, summary.mean(), summary.end); break;
      case Statistic::max: compare(state, summary.max.real(), summary.end); break;
      case Statistic::min: compare(state, summary.min.real(), summary.end); break;
      case Statistic::p95:
        compare(state, quantile(summary, 0.95).value_or(kNoNumber), summary.end);
        break;
      case Statistic::rate: compare_rate(state, summary); break;
    }
  }
}

void Rules::compare_rate(State& state, const Summary& summary) {
  if (series_[summary.series].kind == SeriesKind::counter) {
    // The first window began before the first reading: its increase is of a part of its length.
    if (!std::exchange(state.has_previous, true)) return;
    const double length = std::chrono::duration<double>(summary.end - summary.start).count();
    compare(state, summary.increase ? *summary.increase / length : kNoNumber, summary.end);
    return;
  }
  if (state.has_previous && summary.end > state.previous_at) {
    const double elapsed = std::chrono::duration<double>(summary.end - state.previous_at).count();
    compare(state, (summary.last.real() - state.previous.real()) / elapsed, summary.end);
  }
  state.has_previous = true;
  state.previous = summary.last;
  state.previous_at = summary.end;
}

Rules::Span Rules::states_of(SeriesId id, BootTime time) {
  const std::uint32_t place = index(id);
  if (place >= spans_.size() || !spans_[place].known) match(id, time);
  return spans_[place];
}

void Rules::match(SeriesId id, BootTime time) {
  if (index(id) >= spans_.size()) {
    spans_.resize(std::max<std::size_t>(series_.size(), index(id) + 1));
  }
  const Series& series = series_[id];
  Span span{static_cast<std::uint32_t>(states_.size()), 0, true};
  for (std::size_t i = 0; i < rules_.size(); ++i) {
    if (!matches(rules_[i], series)) continue;
    if (states_.size() == kStatesMax) {
      ++counts_.unwatched;
      continue;
    }
    State state;
    state.series = id;
    state.rule = static_cast<std::uint16_t>(i);
    state.seen = time;
    states_.push_back(state);
    ++span.count;
    Presence& presence = presence_[i];
    presence.matched = true;
    if (presence.absence_told) {
      presence.absence_told = false;
      --active_;
      raise({rules_[i].name + "_no_data", {}, Severity::resolved, time, kNoNumber,
             "data from " + subject_text(rules_[i], series)});
    }
  }
  spans_[index(id)] = span;
}

void Rules::note_data(State& state, BootTime time) {
  if (state.is_silent) {
    const RuleOptions& rule = rules_[state.rule];
    state.is_silent = false;
    --active_;
    const Series& series = series_[state.series];
    raise({rule.name + "_no_data", series.labels, Severity::resolved, time, kNoNumber,
           "data from " + to_text(series) + " again after " +
               duration_text(std::max(nanoseconds{0}, time - state.seen))});
  }
  state.seen = std::max(state.seen, time);
}

Rules::Candidate Rules::candidate(const RuleOptions& rule, const State& state,
                                  double value) const {
  // A threshold in alarm is left only `hysteresis` behind it; one that is not is crossed where it
  // stands.
  const auto asks = [&](const std::optional<double>& threshold, Side side, Level level) {
    if (!threshold) return false;
    const bool in_alarm = state.level >= level && state.side == side;
    const double slack = in_alarm ? rule.hysteresis : 0;
    return side == Side::above ? value > *threshold - slack : value < *threshold + slack;
  };
  if (asks(rule.critical_above, Side::above, Level::critical)) return {Level::critical, Side::above};
  if (asks(rule.critical_below, Side::below, Level::critical)) return {Level::critical, Side::below};
  if (asks(rule.warn_above, Side::above, Level::warn)) return {Level::warn, Side::above};
  if (asks(rule.warn_below, Side::below, Level::warn)) return {Level::warn, Side::below};
  return {};
}

void Rules::compare(State& state, double value, BootTime time) {
  if (std::isnan(value)) {
    ++counts_.incomparable;
    return;
  }
  ++counts_.compared;
  const RuleOptions& rule = rules_[state.rule];
  const Candidate asked = candidate(rule, state, value);

  const bool other_side = asked.level != Level::none && asked.side != state.side;
  const auto hold = [&](bool& holds, BootTime& since, Level level) {
    if (asked.level < level) {
      holds = false;
    } else if (!holds || other_side) {
      holds = true;
      since = time;
    }
  };
  if (other_side && state.level == Level::none) state.side = asked.side;
  hold(state.holds_warn, state.holds_warn_since, Level::warn);
  hold(state.holds_critical, state.holds_critical_since, Level::critical);

  if (other_side && state.level != Level::none) {
    // From too high to too low in one step: the one alarm is over before the other begins.
    change(state, {}, value, time);
    state.side = asked.side;
  }
  const auto long_enough = [&](bool holds, BootTime since) {
    return holds && time - since >= rule.for_duration;
  };
  Level level = std::min(asked.level, state.level);
  if (long_enough(state.holds_warn, state.holds_warn_since)) level = std::max(level, Level::warn);
  if (long_enough(state.holds_critical, state.holds_critical_since)) level = Level::critical;
  if (level != state.level) change(state, {level, asked.side}, value, time);
}

void Rules::change(State& state, Candidate to, double value, BootTime time) {
  const RuleOptions& rule = rules_[state.rule];
  const Series& series = series_[state.series];
  const Candidate from{state.level, state.side};
  const auto threshold = [&](Candidate of) {
    const bool critical = of.level == Level::critical;
    const auto& own = of.side == Side::above ? (critical ? rule.critical_above : rule.warn_above)
                                             : (critical ? rule.critical_below : rule.warn_below);
    const std::string_view word = of.side == Side::above ? "above " : "below ";
    return std::string{word} + number_text(own.value_or(kNoNumber));
  };

  std::string message =
      subject_text(rule, series) + " is " + quantity_text(rule, series, value) + ", ";
  Severity severity = Severity::resolved;
  if (to.level > from.level) {
    severity = to.level == Level::critical ? Severity::critical : Severity::warn;
    message += threshold(to);
    if (rule.for_duration > nanoseconds{0}) message += " for " + duration_text(rule.for_duration);
  } else if (to.level == Level::warn) {
    severity = Severity::warn;
    message += "no longer " + threshold(from) + ", back to the warning " + threshold(to);
  } else {
    const bool has_warn = from.side == Side::above ? rule.warn_above.has_value()
                                                   : rule.warn_below.has_value();
    message += "no longer " + threshold({has_warn ? Level::warn : Level::critical, from.side});
  }

  if (from.level == Level::none) ++active_;
  if (to.level == Level::none) --active_;
  state.level = to.level;
  if (to.level != Level::none) state.side = to.side;
  raise({rule.name, series.labels, severity, time, value, std::move(message)});
}

void Rules::advance(BootTime now) {
  if (!started_) {
    started_ = true;
    started_at_ = now;
  }
  if (!any_deadman_) return;
  for (std::size_t i = 0; i < rules_.size(); ++i) {
    const RuleOptions& rule = rules_[i];
    Presence& presence = presence_[i];
    if (rule.no_data_after <= nanoseconds{0} || presence.matched || presence.absence_told) continue;
    if (now - started_at_ <= rule.no_data_after) continue;
    presence.absence_told = true;
    ++active_;
    raise({rule.name + "_no_data", {}, rule.no_data_severity, now, kNoNumber,
           "no data from any series like " + series_pattern(rule) + " for " +
               duration_text(rule.no_data_after)});
  }
  for (State& state : states_) {
    const RuleOptions& rule = rules_[state.rule];
    if (rule.no_data_after <= nanoseconds{0} || state.is_silent) continue;
    if (now - state.seen <= rule.no_data_after) continue;
    state.is_silent = true;
    ++active_;
    const Series& series = series_[state.series];
    raise({rule.name + "_no_data", series.labels, rule.no_data_severity, now, kNoNumber,
           "no data from " + to_text(series) + " for " + duration_text(rule.no_data_after)});
  }
}

void Rules::raise(Event event) {
  event.message = fit_message(std::move(event.message));
  ++counts_.events;
  events_.accept(event);
}

}  // namespace fieldpost
