// SPDX-License-Identifier: Apache-2.0
// See simulated.hpp. The shapes are one switch; a read of ten thousand sines costs two
// multiplications each, because only the series' phases differ and those are turned into a sine
// and a cosine once, at open.
#include "hal/simulated/simulated.hpp"

#include <cmath>
#include <cstdint>
#include <numbers>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace fieldpost {
namespace {

enum class Shape : std::uint8_t { sine, step, ramp, stuck, silent, failing, noise };

constexpr std::array<std::pair<std::string_view, Shape>, 7> kShapes{{
    {"sine", Shape::sine},
    {"step", Shape::step},
    {"ramp", Shape::ramp},
    {"stuck", Shape::stuck},
    {"silent", Shape::silent},
    {"failing", Shape::failing},
    {"noise", Shape::noise},
}};

std::optional<Shape> shape_of(std::string_view text) {
  for (const auto& [name, shape] : kShapes) {
    if (name == text) return shape;
  }
  return std::nullopt;
}

/// splitmix64 (Steele, Lea, Flood 2014): the whole state is one word, which is all that noise needs.
class NoiseStream {
 public:
  explicit NoiseStream(std::uint64_t seed) : state_{seed} {}

  /// Uniform in [0, 1).
  double next() {
    state_ += 0x9E3779B97F4A7C15U;
    std::uint64_t word = state_;
    word = (word ^ (word >> 30U)) * 0xBF58476D1CE4E5B9U;
    word = (word ^ (word >> 27U)) * 0x94D049BB133111EBU;
    word ^= word >> 31U;
    return static_cast<double>(word >> 11U) * 0x1.0p-53;
  }

 private:
  std::uint64_t state_;
};

struct SimulatedOptions {
  Shape shape = Shape::sine;
  std::string shape_text;
  std::size_t series = 1;
  double period_seconds = 60;
  double amplitude = 1;
  double minimum = 0;
  SeriesKind kind = SeriesKind::gauge;
  std::int64_t start = 0;
  std::int64_t fail_every = 3;
  std::uint64_t seed = 1;
};

Error refused(std::string_view key, std::string_view rule) {
  return Error{ErrorKind::OutOfRange, std::string{key} + " " + std::string{rule}};
}

Result<SeriesKind> kind_of(const OptionValues& options, Shape shape) {
  const std::string text = options.text("kind", shape == Shape::ramp ? "counter" : "gauge");
  for (const SeriesKind kind : {SeriesKind::counter, SeriesKind::gauge, SeriesKind::state}) {
    if (text == to_string(kind)) return kind;
  }
  return refused("kind", "must be \"counter\", \"gauge\" or \"state\"");
}

Result<SimulatedOptions> parse_options(const OptionValues& given) {
  SimulatedOptions options;
  options.shape_text = given.text("shape", "sine");
  const auto shape = shape_of(options.shape_text);
  if (!shape) {
    return refused("shape",
                   "must be \"sine\", \"step\", \"ramp\", \"stuck\", \"silent\", \"failing\" or "
                   "\"noise\"");
  }
  options.shape = *shape;

  const std::int64_t series = given.integer("series", 1);
  if (series < 1 || series > static_cast<std::int64_t>(SeriesTable::kSeriesMax)) {
    return refused("series", "must be between 1 and " + std::to_string(SeriesTable::kSeriesMax));
  }
  options.series = static_cast<std::size_t>(series);

  options.period_seconds = given.real("period_seconds", 60);
  if (!(options.period_seconds > 0) || !std::isfinite(options.period_seconds)) {
    return refused("period_seconds", "must be greater than 0");
  }
  options.amplitude = given.real("amplitude", 1);
  if (!std::isfinite(options.amplitude)) return refused("amplitude", "must be a finite number");
  options.minimum = given.real("minimum", 0);
  if (!std::isfinite(options.minimum)) return refused("minimum", "must be a finite number");

  options.kind = TRY(kind_of(given, options.shape));
  options.start = given.integer("start", 0);
  options.fail_every = given.integer("fail_every", 3);
  if (options.fail_every < 1) return refused("fail_every", "must be at least 1");
  options.seed = static_cast<std::uint64_t>(given.integer("seed", 1));
  return options;
}

class SimulatedSource final : public Source {
 public:
  SimulatedSource(SimulatedOptions options, std::vector<SeriesId> ids)
      : options_{std::move(options)}, ids_{std::move(ids)}, noise_{options_.seed} {
    phases_.reserve(ids_.size());
    for (std::size_t i = 0; i < ids_.size(); ++i) {
      // The golden angle spreads any number of phases evenly over the circle.
      const double angle = static_cast<double>(i) * std::numbers::pi * (3.0 - std::sqrt(5.0));
      phases_.push_back({std::sin(angle), std::cos(angle)});
    }
  }

  Result<void> read(SampleSink& sink, BootTime now) override {
    ++reads_;
    switch (options_.shape) {
      case Shape::silent:
        return {};
      case Shape::failing:
        if (reads_ % static_cast<std::uint64_t>(options_.fail_every) == 0) {
          return Error{ErrorKind::Io, "simulated failure at read " + std::to_string(reads_)};
        }
        read_sine(sink, now);
        return {};
      case Shape::sine:
        read_sine(sink, now);
        return {};
      case Shape::noise:
        for (const SeriesId id : ids_) {
          sink.accept({id, options_.minimum + options_.amplitude * noise_.next(), now});
        }
        return {};
      case Shape::ramp:
        give_all(sink, Value{ramp_value()}, now);
        return {};
      case Shape::step:
        give_all(sink, Value{options_.minimum + (cycle(now) < 0.5 ? 0.0 : options_.amplitude)}, now);
        return {};
      case Shape::stuck:
        give_all(sink, Value{options_.minimum}, now);
        return {};
    }
    return Error{ErrorKind::Bug, "unknown simulated shape"};
  }

 private:
  struct Phase {
    double sine;
    double cosine;
  };

  /// How far the present period has got, in [0, 1).
  double cycle(BootTime now) const {
    const double periods =
        std::chrono::duration<double>(now.time_since_epoch()).count() / options_.period_seconds;
    return periods - std::floor(periods);
  }

  /// Unsigned addition, so that a start near the largest int64 wraps instead of being undefined.
  std::int64_t ramp_value() const {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(options_.start) + (reads_ - 1));
  }

  void give_all(SampleSink& sink, Value value, BootTime now) const {
    for (const SeriesId id : ids_) sink.accept({id, value, now});
  }

  void read_sine(SampleSink& sink, BootTime now) const {
    const double angle = 2 * std::numbers::pi * cycle(now);
    const double sine = std::sin(angle);
    const double cosine = std::cos(angle);
    const double half = options_.amplitude / 2;
    for (std::size_t i = 0; i < ids_.size(); ++i) {
      // sin(a + b) = sin a cos b + cos a sin b
      const double swing = sine * phases_[i].cosine + cosine * phases_[i].sine;
      sink.accept({ids_[i], options_.minimum + half * (1 + swing), now});
    }
  }

  SimulatedOptions options_;
  std::vector<SeriesId> ids_;
  std::vector<Phase> phases_;
  NoiseStream noise_;
  std::uint64_t reads_ = 0;
};

}  // namespace

Result<std::unique_ptr<Source>> open_simulated(const SourceContext& context) {
  SimulatedOptions options = TRY(parse_options(context.options));
  std::vector<SeriesId> ids;
  ids.reserve(options.series);
  for (std::size_t i = 0; i < options.series; ++i) {
    Series series;
    series.name = "fieldpost_simulated_value";
    series.labels = {{"instance", std::string{context.instance}},
                     {"shape", options.shape_text},
                     {"index", std::to_string(i)}};
    series.kind = options.kind;
    series.help = "A made-up value, for trying out and testing.";
    ids.push_back(TRY(context.series.add(std::move(series))));
  }
  return std::unique_ptr<Source>{
      std::make_unique<SimulatedSource>(std::move(options), std::move(ids))};
}

}  // namespace fieldpost
