// SPDX-License-Identifier: Apache-2.0
// `fieldpost sources`: what this machine offers, read once, with present values. Needs no configuration:
// it is the first thing that somebody new runs.
#include <sys/stat.h>

#include <array>
#include <cstdio>
#include <optional>
#include <utility>
#include <vector>

#include "agent/commands/command.hpp"
#include "agent/commands/recording.hpp"
#include "agent/configuration/configuration.hpp"
#include "agent/configuration/quantity.hpp"
#include "hal/exposition.hpp"
#include "hal/survey.hpp"
#include "platform/json.hpp"

namespace fieldpost {
namespace {

constexpr CommandOption kOptions[] = {
    {"--root", "DIR", "read a captured /proc and /sys below DIR instead of this machine's"},
    {"--config", "FILE", "read the sources of this configuration, with their options"},
    {"--format", "FORMAT", "lines for people, JSON, or node_exporter's exposition",
     "text|json|prometheus"},
    {"--record", "FILE", "read the sources for a while, at their intervals, and write every sample"},
    {"--for", "DURATION", "how long to record; default 60s"},
};

/// Of sources that no configuration gives one.
constexpr nanoseconds kRecordInterval = seconds{1};

/// One source that was tried, under the name that its series come by.
struct Listed {
  std::string name;
  const Driver* driver = nullptr;
  bool tried = false;
  std::vector<Sample> samples;
  std::optional<Error> absent;
};

struct Listing {
  std::unique_ptr<SeriesTable> series;
  std::vector<Listed> sources;
};

/// What runs without being configured, then the names of all other drivers.
Listing list_defaults(const FileTree& tree, BootTime now) {
  Survey surveyed = survey(tree, driver_table(), now);
  Listing listing;
  listing.series = std::move(surveyed.series);
  for (SurveyedSource& source : surveyed.sources) {
    listing.sources.push_back({std::string{source.driver->name}, source.driver, true,
                               std::move(source.samples), std::move(source.absent)});
  }
  for (const Driver& driver : driver_table()) {
    if (!driver.on_by_default) listing.sources.push_back({std::string{driver.name}, &driver, false, {}, {}});
  }
  return listing;
}

class SampleList final : public SampleSink {
 public:
  explicit SampleList(std::vector<Sample>& samples) : samples_{samples} {}
  void accept(const Sample& sample) override { samples_.push_back(sample); }

 private:
  std::vector<Sample>& samples_;
};

Listing list_configured(const Configuration& configuration, const FileTree& tree, BootTime now) {
  Listing listing;
  listing.series = std::make_unique<SeriesTable>();
  for (const SourceOptions& options : configuration.sources) {
    Listed listed{options.instance, options.driver, true, {}, {}};
    auto source =
        options.driver->open({tree, *listing.series, options.options, options.instance});
    if (!source) {
      listed.absent = source.error();
    } else {
      SampleList sink{listed.samples};
      if (const auto read = (*source)->read(sink, now); !read) listed.absent = read.error();
    }
    listing.sources.push_back(std::move(listed));
  }
  return listing;
}

/// Without an exponent where that can be helped: 9855445 and not 9.855445e+06.
std::string number_for_people(const Value& value) {
  if (value.is_integer()) return std::to_string(value.integer());
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.12g", value.real());
  return text.data();
}

std::string as_text(const Listing& listing) {
  std::string text;
  std::string absent;
  std::string others;
  for (const Listed& source : listing.sources) {
    const std::string line = source.name + "  " + std::string{source.driver->summary};
    if (!source.tried) {
      others += "  " + line + "\n";
    } else if (source.absent) {
      absent += "  " + line + "\n      " + source.absent->sentence() + "\n";
    } else {
      text += line + " (" + std::to_string(source.samples.size()) + " series)\n";
      for (const Sample& sample : source.samples) {
        const Series& series = (*listing.series)[sample.series];
        text += "  " + to_text(series) + " " + number_for_people(sample.value);
        if (!series.unit.empty()) text += " " + series.unit;
        text += "\n";
      }
      text += "\n";
    }
  }
  if (!absent.empty()) text += "not on this machine:\n" + absent + "\n";
  if (!others.empty()) text += "need a [source.NAME] in the configuration:\n" + others;
  return text;
}

std::string as_json(const Listing& listing) {
  JsonWriter json;
  json.begin_object().key("sources").begin_array();
  for (const Listed& source : listing.sources) {
    json.begin_object();
    json.member("name", source.name)
        .member("driver", source.driver->name)
        .member("room", source.driver->room)
        .member("summary", source.driver->summary)
        .member("on_by_default", source.driver->on_by_default)
        .member("present", source.tried && !source.absent)
        .member("error", source.absent ? source.absent->sentence() : std::string{});
    json.key("samples").begin_array();
    for (const Sample& sample : source.samples) {
      const Series& series = (*listing.series)[sample.series];
      json.begin_object().member("name", series.name).key("labels").begin_object();
      for (const Label& label : series.labels) json.member(label.name, label.value);
      json.end_object().member("unit", series.unit).member("kind", to_string(series.kind)).key("value");
      if (sample.value.is_integer()) {
        json.value(sample.value.integer());
      } else {
        json.value(sample.value.real());
      }
      json.end_object();
    }
    json.end_array().end_object();
  }
  json.end_array().end_object();
  return std::move(json).take() + "\n";
}

std::string as_prometheus(const Listing& listing) {
  std::vector<Sample> samples;
  for (const Listed& source : listing.sources) {
    samples.insert(samples.end(), source.samples.begin(), source.samples.end());
  }
  return to_prometheus_text(*listing.series, samples);
}

/// What `run` would read: the configuration's sources, else those that run by themselves.
std::vector<SourcePlan> plans(const std::optional<Configuration>& configuration) {
  std::vector<SourcePlan> plans;
  if (configuration) {
    for (const SourceOptions& source : configuration->sources) {
      plans.push_back({source.instance, source.driver, source.options, source.interval, source.asked_for});
    }
    return plans;
  }
  for (const Driver& driver : driver_table()) {
    if (driver.on_by_default) plans.push_back({std::string{driver.name}, &driver, {}, kRecordInterval, false});
  }
  return plans;
}

ExitCode record(const Arguments& arguments, const FileTree& tree, const std::optional<Configuration>& configuration) {
  const auto length = parse_duration(arguments.text("--for", "60s"));
  if (!length || *length <= nanoseconds{0}) {
    complain("sources", "--for " + arguments.text("--for", "") + " is not a duration like 60s or 10m");
    return ExitCode::usage;
  }
  const std::string path = arguments.text("--record", "");
  const auto samples = record_sources(path, *length, tree, plans(configuration));
  if (!samples) {
    complain("sources", samples.error().sentence());
    return ExitCode::failed;
  }
  print(std::to_string(*samples) + " samples written to " + path + "\n");
  return ExitCode::ok;
}

ExitCode run_sources(const Arguments& arguments) {
  const std::string root = arguments.text("--root", "/");
  struct stat status {};
  if (::stat(root.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) {
    complain("sources", "--root " + root + " is not a directory; it wants one that holds proc/ and sys/");
    return ExitCode::failed;
  }
  const FileTree tree{root};
  std::optional<Configuration> configuration;
  if (arguments.has("--config")) {
    ConfigurationResult loaded =
        load_configuration(arguments.text("--config", ""), driver_table());
    if (!loaded.ok()) {
      for (const Problem& problem : loaded.problems) complain("sources", to_text(problem));
      return ExitCode::failed;
    }
    configuration = std::move(loaded.configuration);
  }
  if (arguments.has("--record")) return record(arguments, tree, configuration);
  const SystemClock clock;
  const Listing listing = configuration ? list_configured(*configuration, tree, clock.now()) : list_defaults(tree, clock.now());
  const std::string format = arguments.text("--format", "text");
  print(format == "json"         ? as_json(listing)
        : format == "prometheus" ? as_prometheus(listing)
                                 : as_text(listing));
  return ExitCode::ok;
}

}  // namespace

constexpr Command kSourcesCommand{
    "sources", "list what this machine offers, with present values",
    "Opens every source that runs by itself, reads it once and prints what came. Sources that the machine\n"
    "does not have are named with the reason. Needs no configuration and sends nothing.\n"
    "\n"
    "exit codes: 0 done; 1 the root or the configuration is wrong; 2 wrong command line\n",
    kOptions,
    "  fieldpost sources\n"
    "  fieldpost sources --format prometheus | grep node_hwmon\n"
    "  fieldpost sources --root ./captured-tree\n"
    "  fieldpost sources --config /etc/fieldpost/fieldpost.toml\n"
    "  fieldpost sources --record readings.txt --for 5m\n",
    &run_sources};

}  // namespace fieldpost
