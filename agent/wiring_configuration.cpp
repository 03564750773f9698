// SPDX-License-Identifier: Apache-2.0
#include "agent/wiring_configuration.hpp"

#include <algorithm>
#include <utility>

#include "agent/cloud/merge_patch.hpp"
#include "agent/configuration/remote_overlay.hpp"

namespace fieldpost {
namespace {

using State = ConfigurationChange::State;

constexpr std::string_view kOverlayName = "configuration from the cloud";

std::string shortened(std::string text) {
  if (text.size() > WiredConfiguration::kCauseBytesMax) text.resize(WiredConfiguration::kCauseBytesMax);
  return text;
}

/// The errors as one text.
std::string told(const ConfigurationResult& result) {
  std::string text;
  std::size_t count = 0;
  for (const Problem& problem : result.problems) {
    if (problem.severity != Problem::Severity::error || ++count > WiredConfiguration::kProblemsTold) continue;
    if (!text.empty()) text += "; ";
    text += to_text(problem);
  }
  if (count > WiredConfiguration::kProblemsTold) text += "; and others";
  return shortened(std::move(text));
}

ConfigurationResult load_with(const std::function<ConfigurationResult(const DropIn*)>& load, const std::string& toml) {
  const DropIn overlay{std::string{kOverlayName}, toml};
  return load(toml.empty() ? nullptr : &overlay);
}

}  // namespace

WiredConfiguration::WiredConfiguration(EventLoop& loop, Log& log, ConfigurationChanges changes, Health health, nanoseconds within)
    : loop_{loop}, log_{log}, changes_{std::move(changes)}, health_{std::move(health)}, within_{within}, record_{changes_.record} {}

void WiredConfiguration::start() {
  const ConfigurationChange& change = record_.change;
  if (change.state == State::put_back) {
    log_.warn("the configuration is the one before the last change", {{"id", change.id}, {"cause", change.cause}});
  }
  if (change.state != State::trial) return;
  log_.info("configuration on trial", {{"id", change.id}, {"seconds", static_cast<std::int64_t>(within_ / seconds{1})}});
  deadline_ = loop_.clock().now() + within_;
  timer_ = loop_.every(loop_.clock().now() + kLookInterval, kLookInterval, [this] { look(); });
}

Result<void> WiredConfiguration::apply(std::string_view id, std::string_view document) {
  if (keeping_ || !is_settled(record_.change.state)) {
    return Error{ErrorKind::Unavailable, "another change of the configuration is under way"};
  }
  const auto overlay = remote_overlay(document);
  if (!overlay) return refuse(id, document, overlay.error());
  const ConfigurationResult checked = changes_.check(*overlay);
  if (!checked.ok()) return refuse(id, document, Error{ErrorKind::OutOfRange, told(checked)});
  ChangeRecord next = record_;
  next.change.id = id;
  next.change.asked = document;
  next.change.cause.clear();
  // What runs needs no trial. But of what could not be laid over the files when we began, running tells.
  const auto running = Json::parse(next.change.running);
  const bool runs = running && merge_patch(*running, *Json::parse(document)) == "{}";
  next.change.state = runs ? State::confirmed : State::armed;
  if (runs) next.confirmed = next.change.asked;
  next.alive = alive();
  record_ = next;
  keep(next, [this](const Result<void>& kept) {
    if (!kept) return settle(State::refused, "it could not be written down: " + kept.error().sentence());
    changed();
    if (record_.change.state != State::armed) return;
    log_.info("configuration changed from afar, beginning anew with it", {{"id", record_.change.id}});
    const BootTime now = loop_.clock().now();
    deadline_ = now + kJobPatience;
    begun_ = false;
    timer_ = loop_.every(now + kBeginPause, kLookInterval, [this] { begin(); });
  });
  return {};
}

/// Once, as soon as no job is in the way.
void WiredConfiguration::begin() {
  const BootTime now = loop_.clock().now();
  if (now >= deadline_) {
    timer_.reset();
    return settle(State::put_back, begun_ ? "not tried: the agent did not begin anew; are its own files right? Its log says more"
                                          : "not tried: a job runs, and did not come to its end within an hour");
  }
  if (begun_ || !health_.may_begin_anew()) return;
  begun_ = true;
  deadline_ = now + kBeginAgain;
  changes_.begin_anew();
}

Result<void> WiredConfiguration::refuse(std::string_view id, std::string_view document, Error why) {
  record_.change.id = id;
  record_.change.asked = document;
  settle(State::refused, shortened(why.sentence()));
  log_.warn("configuration from afar refused", {{"id", std::string{id}}, {"cause", record_.change.cause}});
  return why;
}

/// Why the trial cannot be confirmed now; empty if it can.
std::string WiredConfiguration::ailment() const {
  if (std::string link = health_.link(); !link.empty()) return link;
  const auto sources = health_.sources();
  bool any = record_.alive.empty();
  for (const Health::Source& source : sources) {
    const bool worked = std::find(record_.alive.begin(), record_.alive.end(), source.name) != record_.alive.end();
    if (worked && !source.works) return "the source " + source.name + " does not work any more";
    any = any || source.works;
  }
  return any ? std::string{} : "no source works any more";
}

std::vector<std::string> WiredConfiguration::alive() const {
  std::vector<std::string> names;
  for (const Health::Source& source : health_.sources()) {
    if (source.works) names.push_back(source.name);
  }
  return names;
}

void WiredConfiguration::look() {
  const BootTime now = loop_.clock().now();
  const std::string ill = ailment();
  if (ill.empty() && !std::exchange(well_, true)) well_since_ = now;
  if (!ill.empty()) well_ = false;
  if (well_ && !keeping_ && now <= deadline_ && now - well_since_ >= std::min<nanoseconds>(kSteady, within_ / 2)) {
    ChangeRecord confirmed = record_;
    confirmed.change.state = State::confirmed;
    confirmed.confirmed = confirmed.change.asked;
    // Only what is on the disk is confirmed; until then, and if it never comes there, the trial goes on.
    keep(confirmed, [this, confirmed](const Result<void>& kept) {
      if (!kept) return log_.warn("the confirmed configuration could not be written down", {{"error", kept.error().sentence()}});
      timer_.reset();
      record_ = confirmed;
      log_.info("configuration confirmed", {{"id", record_.change.id}});
      changed();
    });
    return;
  }
  if (now < deadline_ || keeping_) return;
  timer_.reset();
  const std::string cause = "not confirmed within " + std::to_string(within_ / seconds{1}) + " s: " +
                            (ill.empty() ? std::string{"it was well too late, or that could not be written down"} : ill);
  log_.warn("configuration put back, beginning anew", {{"id", record_.change.id}, {"cause", cause}});
  ChangeRecord back = record_;
  back.change.state = State::put_back;
  back.change.cause = shortened(cause);
  // Unwritten, the next start puts it back all the same, with a poorer cause.
  keep(back, [this](const Result<void>&) {
    changes_.begin_anew();
    timer_ = loop_.every(loop_.clock().now() + kBeginAgain, kBeginAgain, [this] { changes_.begin_anew(); });
  });
}

void WiredConfiguration::settle(State state, std::string cause) {
  record_.change.state = state;
  record_.change.cause = std::move(cause);
  // For the report after a restart; without it the same is asked and refused again.
  keep(record_, [this](const Result<void>&) { changed(); });
}

void WiredConfiguration::keep(ChangeRecord record, std::function<void(const Result<void>&)> done) {
  if (!worker_) worker_ = Worker::start(loop_, "changes", 2);
  const auto outcome = std::make_shared<Result<void>>();
  keeping_ = true;
  const bool taken = worker_ && worker_->submit(
                                    [outcome, record = std::move(record), path = changes_.journal] { *outcome = ChangeJournal{path}.keep(record); },
                                    [this, outcome, done] {
                                      keeping_ = false;
                                      done(*outcome);
                                    });
  if (taken) return;
  keeping_ = false;
  loop_.post([done] { done(Error{ErrorKind::Unavailable, "no thread for it"}); });
}

void WiredConfiguration::changed() {
  for (std::size_t i = 0; i < listeners_.size(); ++i) listeners_[i]();
}

StartConfiguration load_start_configuration(const std::function<ConfigurationResult(const DropIn* overlay)>& load) {
  StartConfiguration start{load(nullptr), {}};
  const Configuration& files = start.loaded.configuration;
  // By nobody whom the device's own files do not let in.
  if (!start.loaded.ok() || !files.has_broker || !files.cloud.desired_state) return start;
  auto lock = InstanceLock::take(files.state_directory);
  if (!lock && lock.error().kind() == ErrorKind::Unavailable) return start;
  ConfigurationChanges& changes = start.changes;
  if (lock) changes.lock = std::move(*lock);
  changes.journal = files.state_directory + "/remote_configuration.json";
  changes.check = [load](const std::string& toml) { return load_with(load, toml); };
  const ChangeJournal journal{changes.journal};
  auto begun = journal.begin();
  ChangeRecord& record = changes.record;
  if (!begun) {
    record.change.state = State::put_back;
    record.change.cause = "what was confirmed cannot be read any more: " + begun.error().sentence();
    return start;
  }
  record = std::move(*begun);
  while (record.change.running != "{}") {
    const auto overlay = remote_overlay(record.change.running);
    ConfigurationResult loaded = load_with(load, overlay.value_or(""));
    if (overlay && loaded.ok()) {
      start.loaded = std::move(loaded);
      break;
    }
    record.change.cause = "it does not go with the device's files: " + (overlay ? told(loaded) : overlay.error().sentence());
    const bool was_trial = record.change.state == State::trial;
    record.change.state = State::put_back;
    record.change.running = was_trial ? record.confirmed : "{}";
    // The files may be mended: what was confirmed stays so on the disk, a trial does not.
    if (was_trial) static_cast<void>(journal.keep(record));
  }
  return start;
}

}  // namespace fieldpost
