// SPDX-License-Identifier: Apache-2.0
// `fieldpost run`: the agent itself, in the foreground; systemd or a shell holds it.
#include <csignal>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <optional>
#include <vector>

#include "agent/build_facts.hpp"
#include "agent/commands/checked_configuration.hpp"
#include "agent/commands/command.hpp"
#include "agent/configuration/configuration.hpp"
#include "agent/local/service_notice.hpp"
#include "agent/wiring.hpp"

namespace fieldpost {
namespace {

constexpr CommandOption kOptions[] = {
    {"--config", "FILE", "configuration, and conf.d/ beside it; default /etc/fieldpost/fieldpost.toml"},
    {"--root", "DIR", "read a captured /proc and /sys below DIR instead of this machine's"},
};

/// Feeds systemd's watchdog as long as sources are being read. A loop that turns while no read comes
/// back is as dead as one that hangs, so its turning alone is not enough.
class Watchdog {
 public:
  /// All lent, all outlive it.
  Watchdog(EventLoop& loop, const ServiceNotice& notice, const Agent& agent)
      : loop_{loop}, notice_{notice}, agent_{agent}, progress_at_{loop.clock().now()} {
    if (const auto interval = notice.alive_interval()) {
      timer_ = loop.every(loop.clock().now(), *interval, [this] { look(); });
    }
  }

 private:
  void look() {
    const BootTime now = loop_.clock().now();
    const std::uint64_t progress = agent_.progress();
    if (progress != progress_) progress_at_ = now;
    progress_ = progress;
    const nanoseconds expected = agent_.progress_interval();
    // Without a source that works there is no progress to expect: the loop's turning must do.
    const bool overdue = expected != nanoseconds::max() &&
                         now - progress_at_ > expected * 2 + *notice_.alive_interval() * 2;
    if (!overdue) notice_.alive();
  }

  EventLoop& loop_;
  const ServiceNotice& notice_;
  const Agent& agent_;
  Subscription timer_;
  std::uint64_t progress_ = 0;
  BootTime progress_at_;
};

/// Whether the configuration would be accepted now; if not, its problems are logged.
bool is_right(Log& log, const std::string& path) {
  const ConfigurationResult loaded = check_configuration(path);
  for (const Problem& problem : loaded.problems) {
    if (problem.severity == Problem::Severity::error) {
      log.error("configuration refused, the running one stays", {{"problem", to_text(problem)}});
    }
  }
  return loaded.ok();
}

/// Holds our signals back while the agent is made: one that comes then is obeyed as soon as the loop can,
/// instead of ending the process half made. The workers' threads, made meanwhile, keep it so.
class HeldSignals {
 public:
  HeldSignals() {
    sigemptyset(&signals_);
    for (const int each : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals_, each);
    hold();
  }
  void hold() const { ::pthread_sigmask(SIG_BLOCK, &signals_, nullptr); }
  void release() const { ::pthread_sigmask(SIG_UNBLOCK, &signals_, nullptr); }

 private:
  sigset_t signals_{};
};

enum class Ending { stopped, reload };

constexpr milliseconds kLastTurn{10};

Ending run_until_ended(EventLoop& loop, Log& log, Agent& agent, const std::string& path,
                       const HeldSignals& held) {
  const ServiceNotice notice{ServiceNotice::environment()};
  std::optional<Ending> ending;
  const auto end = [&](Ending how) {
    ending = how;
    // Should the disk hang in the last flush, the kernel ends us: nothing durable depends on it.
    ::alarm(static_cast<unsigned>(Agent::kStopTime.count()));
    agent.stop([&] { loop.stop(); });
  };
  const auto stop = [&] {
    if (ending == Ending::stopped) return;
    log.info("stopping");
    notice.stopping();
    end(Ending::stopped);  // a reload that is under way becomes a stop
  };
  const auto reload = [&] {
    if (ending) return;
    if (!is_right(log, path)) {
      notice.status("running; the new configuration was refused");
      return;
    }
    log.info("configuration is right, beginning anew with it");
    notice.reloading();
    end(Ending::reload);
  };
  const Subscription terminate = loop.on_signal(SIGTERM, stop);
  const Subscription interrupt = loop.on_signal(SIGINT, stop);
  const Subscription hang_up = loop.on_signal(SIGHUP, reload);
  agent.start();
  held.release();
  notice.ready("running");
  const Watchdog watchdog{loop, notice, agent};
  loop.run();
  held.hold();
  if (ending == Ending::reload) {
    // A stop that the loop was told of and had no turn to obey; one that comes from here on the new agent obeys.
    const Subscription end_of_turn = loop.after(kLastTurn, [&loop] { loop.stop(); });
    loop.run();
  }
  ::alarm(0);
  if (ending == Ending::stopped) log.info("stopped");
  return ending.value_or(Ending::stopped);
}

/// Becomes a new agent in the same process: what is right at every start is right after a reload, and
/// nothing of the old configuration can be left over. Returns only if that fails.
void begin_anew(const Arguments& arguments) {
  std::vector<std::string> words{"fieldpost", "run"};
  for (const CommandOption& option : kOptions) {
    if (arguments.has(option.name)) words.push_back(std::string{option.name} + "=" + arguments.text(option.name, ""));
  }
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  ::execv("/proc/self/exe", pointers.data());
}

ExitCode run_agent(const Arguments& arguments) {
  const HeldSignals held;
  // After a reload it would be "exe".
  ::prctl(PR_SET_NAME, "fieldpost");
  const std::string path = arguments.text("--config", kDefaultConfigurationPath);
  StartConfiguration start =
      load_start_configuration([path](const DropIn* overlay) { return load_configuration(path, driver_table(), overlay); });
  ConfigurationResult& loaded = start.loaded;
  if (!loaded.ok()) {
    for (const Problem& problem : loaded.problems) {
      if (problem.severity == Problem::Severity::error) complain("run", to_text(problem));
    }
    return ExitCode::failed;
  }
  const SystemClock clock{UtcTime{seconds{build_facts::kSourceDate}}};
  Log log{clock, loaded.configuration.log_level};
  const auto loop = make_event_loop(clock, &log);
  const FileTree tree{arguments.text("--root", "/")};
  const std::string device = loaded.configuration.device_name;
  const std::size_t sources = loaded.configuration.sources.size();
  // As an operator would: with the same checks.
  start.changes.begin_anew = [] { ::kill(::getpid(), SIGHUP); };
  auto agent = Agent::make(*loop, log, tree, std::move(loaded.configuration), std::move(start.changes));
  if (!agent) {
    complain("run", path + ": " + agent.error().sentence());
    return ExitCode::failed;
  }
  log.info("starting", {{"version", build_facts::kVersion}, {"device", device},
                        {"configuration", path}, {"overlays", loaded.files.size() - 1}, {"sources", sources}});
  if (!loaded.problems.empty()) {
    log.info("configuration has warnings, `fieldpost check` shows them", {{"count", loaded.problems.size()}});
  }
  const Ending ending = run_until_ended(*loop, log, **agent, path, held);
  if (ending == Ending::reload) {
    begin_anew(arguments);
    complain("run", errno_error("begin anew", errno).sentence() + "; start it again");
  }
  const ExitCode code = ending == Ending::reload ? ExitCode::failed : ExitCode::ok;
  // A read that hangs in the kernel cannot be waited for; everything durable is closed by now.
  if ((*agent)->stuck()) ::_exit(static_cast<int>(code));
  return code;
}

}  // namespace

constexpr Command kRunCommand{
    "run", "read, keep and send, until stopped",
    "Runs the agent in the foreground. It logs to standard error. It starts although the broker, the disk\n"
    "or single sources are out of order, and goes on trying; a configuration that is wrong, or names a\n"
    "file that is not there, is refused with one line a problem.\n"
    "\n"
    "SIGTERM, SIGINT  stop in order within 5 seconds: flush, send, disconnect, close\n"
    "SIGHUP           reload: a configuration that is right is applied by beginning anew in the same\n"
    "                 process; of one that is wrong the problems are logged, and the running one stays\n"
    "\n"
    "exit codes: 0 stopped in order; 1 not started (standard error says why); 2 wrong command line;\n"
    "            3 ended for want of memory, or of descriptors or threads at the start: start it again\n",
    kOptions,
    "  fieldpost run\n"
    "  fieldpost run --config ./fieldpost.toml\n"
    "  fieldpost run --config ./fieldpost.toml --root ./captured-tree\n",
    &run_agent};

}  // namespace fieldpost
