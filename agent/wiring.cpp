// SPDX-License-Identifier: Apache-2.0
// Joins the stages. Members stand in the order in which they are made, each after what it is lent.
#include "agent/wiring.hpp"

#include <unistd.h>

#include <algorithm>
#include <numeric>
#include <optional>

#include "agent/build_facts.hpp"
#include "agent/cloud/azure_assignment.hpp"
#include "agent/cloud/presence.hpp"
#include "agent/identity/identity_directory.hpp"
#include "agent/local/control_socket.hpp"
#include "agent/local/instance_lock.hpp"
#include "agent/local/state_directory.hpp"
#include "agent/wiring_cloud.hpp"
#include "agent/wiring_identity.hpp"
#include "agent/wiring_jobs.hpp"
#include "agent/wiring_parts.hpp"
#include "platform/unix_socket.hpp"

namespace fieldpost {
namespace {

/// How often windows are closed and silence is looked for.
constexpr nanoseconds kAdvanceInterval = seconds{1};
constexpr nanoseconds kLinkLate = seconds{60};
constexpr nanoseconds kDrainLook = milliseconds{20};

std::uint64_t sum(const std::array<std::uint64_t, kLanes.size()>& by_lane) {
  return std::accumulate(by_lane.begin(), by_lane.end(), std::uint64_t{0});
}

class WiredAgent final : public Agent {
 public:
  WiredAgent(EventLoop& loop, Log& log, const FileTree& tree, Configuration configuration,
             std::optional<InstanceLock> lock)
      : loop_{loop},
        log_{log},
        configuration_{std::move(configuration)},
        lock_{std::move(lock)},
        store_{loop, log, series_, configuration_.store},
        sink_{store_, series_, configuration_.series},
        rules_{series_, configuration_.rules, sink_, sink_},
        aggregate_{series_,
                   [this](const Series& series) { return configuration_.series.of(series).aggregate; },
                   rules_},
        filter_{series_,
                [this](const Series& series) { return configuration_.series.of(series).filter; },
                aggregate_},
        schedule_{loop, log, tree, series_, filter_} {}

  /// Errors: as Link::make
  Result<void> add_link(ConfigurationChanges changes) {
    const std::string identity = identity_directory(configuration_.state_directory);
    if (const auto used = use_azure_assignment(identity, configuration_.cloud, configuration_.link); !used) {
      log_.error("the hub that was assigned is not known", {{"error", used.error().sentence()}});
    }
    const std::string place = thing_place(configuration_.cloud, configuration_.topic_prefix, configuration_.device_name);
    if (configuration_.cloud.presence) configuration_.link.will = Presence::will(place);
    const LinkOptions without = configuration_.link;
    use_identity(identity, configuration_.link);
    auto link = Link::make(loop_, log_, configuration_.link);
    if (!link && configuration_.link.certificate_file != without.certificate_file) {
      // Ours to keep, so not the operator's mistake: sampling goes on (promise P4).
      log_.error("the identity cannot be used; `fieldpost provision` makes a new one", {{"error", link.error().sentence()}});
      configuration_.link = without;
      link = Link::make(loop_, log_, configuration_.link);
    }
    link_ = TRY(std::move(link));
    if (configuration_.cloud.presence) {
      presence_.emplace(*link_, place, std::string{build_facts::kVersion},
                        [this] { return loop_.clock().utc_above_floor().time - (loop_.clock().now() - started_); });
    }
    sync_.emplace(loop_, log_, store_, *link_, sync_options(configuration_));
    identity_.emplace(loop_, log_, configuration_, *link_);
    cloud_.emplace(loop_, log_, configuration_, *link_, schedule_, std::move(changes), [this] { return !jobs_ || jobs_->may_begin_anew(); },
                   [this] { return to_json(status()); });
    if (configuration_.jobs.enabled) jobs_.emplace(loop_, log_, configuration_, *link_, *identity_, cloud_->changes(), [this] { return to_json(status()); });
    return {};
  }

  void add_sources() {
    for (SourceOptions& source : configuration_.sources) {
      note(schedule_.add({source.instance, source.driver, source.options, source.interval,
                          source.asked_for}));
    }
    if (!configuration_.self_enabled) return;
    note(schedule_.add("self",
                       std::make_unique<SelfSource>(
                           series_, [this] { return self_figures(stages(), started_); }),
                       configuration_.self_interval));
  }

  void start() override {
    started_ = loop_.clock().now();
    listen();
    schedule_.start();
    advance_ = loop_.every(started_ + kAdvanceInterval, kAdvanceInterval, [this] { advance(); });
    if (link_ == nullptr) return;
    sync_->start();
    cloud_->start();
    // After the store's first work, done or failed: then what it knows of the time is known, and an expired
    // certificate is not taken for a valid one.
    store_.flush([this](const Result<void>&) { start_link(); });
    // A disk that does not even fail is no reason to stay away from the cloud, which may mend it.
    link_late_ = loop_.after(kLinkLate, [this] { start_link(); });
  }

  void start_link() {
    link_late_.reset();
    if (stopping_) return;
    link_->start();
    identity_->start();
    if (jobs_) jobs_->start();
  }

  void stop(std::function<void()> done) override {
    if (stopping_) return;
    stopping_ = true;
    done_ = std::move(done);
    stop_limit_ = loop_.after(kStopTime - seconds{1}, [this] { finish(); });
    if (identity_) identity_->stop();
    if (jobs_) jobs_->stop();
    schedule_.stop();
    advance_.reset();
    rules_.stop();
    aggregate_.finish();
    store_.flush([this](const Result<void>&) {
      send_until_ = loop_.clock().now() + kLastSendTime;
      drain();
    });
  }

  StatusDocument status() const override {
    const BootTime now = loop_.clock().now();
    const UtcReading utc = loop_.clock().utc_above_floor();
    StatusDocument document;
    document.version = build_facts::kVersion;
    document.device = configuration_.device_name;
    document.process_id = ::getpid();
    document.uptime = now - started_;
    document.utc = to_rfc3339(utc.time);
    document.utc_synchronised = utc.synchronised;
    document.quota_bytes = configuration_.store.quota_bytes;
    document.link.url = configuration_.link.url;
    if (identity_) document.identity = identity_->status();
    if (jobs_) document.jobs = jobs_->document();
    if (cloud_) document.desired = cloud_->change();
    fill_status(document, stages(), now);
    return document;
  }

  std::uint64_t progress() const override {
    std::uint64_t count = 0;
    for (const SourceStatus& source : schedule_.status()) count += source.reads + source.failures;
    return count;
  }

  nanoseconds progress_interval() const override {
    nanoseconds shortest = nanoseconds::max();
    for (const SourceStatus& source : schedule_.status()) {
      // One that hangs in a read makes no progress, and is no reason to be started anew.
      if (source.state == SourceState::working && !source.busy) shortest = std::min(shortest, source.interval);
    }
    return shortest;
  }

  bool stuck() const override { return schedule_.stuck(); }

 private:
  Stages stages() const {
    return {schedule_, series_,     filter_, aggregate_, rules_, store_, link_.get(), sync_ ? &*sync_ : nullptr,
            identity_ ? identity_->certificate() : std::nullopt, jobs_ ? &jobs_->status() : nullptr};
  }

  void note(const Result<void>& added) {
    if (!added) log_.error("source left out", {{"error", added.error().sentence()}});
  }

  void listen() {
    const std::string& path = configuration_.control_socket;
    // Nobody is harmed when this fails: the socket's own message below names the cause.
    static_cast<void>(make_directories(path.substr(0, path.rfind('/')), 0755));
    auto listener = listen_unix(path);
    if (!listener) {
      log_.warn("no control socket, `fieldpost status` will not work",
                {{"socket", path}, {"error", listener.error().sentence()}});
      return;
    }
    control_.emplace(loop_, log_, std::move(*listener));
    control_->answer("status", [this] { return to_json(status()); });
  }

  void advance() {
    const BootTime now = loop_.clock().now();
    aggregate_.advance(now);
    rules_.advance(now);
  }

  /// Waits until the broker has everything, cannot be had, or the time for it is over. A connection that
  /// is being made is waited for; one that failed and pauses is not.
  void drain() {
    const bool sent = sum(store_.status().waiting_segments) == 0;
    const bool over = loop_.clock().now() >= send_until_;
    if (link_ == nullptr) {
      finish();
      return;
    }
    const LinkState state = link_->status().state;
    const bool may_send = state == LinkState::connected || state == LinkState::connecting;
    if (may_send && !sent && !over) {
      drain_ = loop_.after(kDrainLook, [this] { drain(); });
      return;
    }
    if (!farewell_said_) sync_->stop();
    farewell_said_ = true;
    if (may_send && sync_->is_leaving() && !over) {
      drain_ = loop_.after(kDrainLook, [this] { drain(); });
      return;
    }
    if (presence_) presence_->leave();
    link_->stop([this] { finish(); });
  }

  void finish() {
    if (finished_) return;
    finished_ = true;
    stop_limit_.reset();
    drain_.reset();
    // Only a socket of our own: another agent's may have that name.
    if (control_) ::unlink(configuration_.control_socket.c_str());
    control_.reset();
    store_.close();
    if (done_) done_();
  }

  EventLoop& loop_;
  Log& log_;
  Configuration configuration_;
  std::optional<InstanceLock> lock_;
  SeriesTable series_;
  Store store_;
  StoreSink sink_;
  Rules rules_;
  Aggregate aggregate_;
  Filter filter_;
  std::unique_ptr<Link> link_;
  std::optional<Presence> presence_;
  std::optional<Sync> sync_;
  std::optional<WiredIdentity> identity_;
  std::optional<WiredJobs> jobs_;
  SourceSchedule schedule_;
  std::optional<WiredCloud> cloud_;
  std::optional<ControlSocket> control_;
  Subscription advance_;
  Subscription link_late_;
  Subscription drain_;
  Subscription stop_limit_;
  std::function<void()> done_;
  BootTime started_;
  BootTime send_until_;
  bool stopping_ = false;
  bool farewell_said_ = false;
  bool finished_ = false;
};

/// The lock, or nothing where the disk gives none: the agent starts all the same (promise P4).
/// Errors: Unavailable (another agent has it)
Result<std::optional<InstanceLock>> take_lock(const std::string& directory, Log& log) {
  const auto made = make_directories(directory);
  auto lock = made ? InstanceLock::take(directory) : Result<InstanceLock>{made.error()};
  if (lock) return std::optional<InstanceLock>{std::move(*lock)};
  if (lock.error().kind() == ErrorKind::Unavailable) return lock.error();
  // The store, which lies there as well, says the same in its own words.
  log.debug("state directory cannot be locked, going on without", {{"error", lock.error().sentence()}});
  return std::optional<InstanceLock>{};
}

}  // namespace

Result<std::unique_ptr<Agent>> Agent::make(EventLoop& loop, Log& log, const FileTree& tree,
                                           Configuration configuration, ConfigurationChanges changes) {
  auto lock = changes.lock ? std::exchange(changes.lock, std::nullopt) : TRY(take_lock(configuration.state_directory, log));
  const bool has_broker = configuration.has_broker;
  auto agent =
      std::make_unique<WiredAgent>(loop, log, tree, std::move(configuration), std::move(lock));
  if (has_broker) TRY(agent->add_link(std::move(changes)));
  agent->add_sources();
  return std::unique_ptr<Agent>{std::move(agent)};
}

}  // namespace fieldpost
