// SPDX-License-Identifier: Apache-2.0
// `fieldpost fleet serve`: the server of jobs and shadows for a broker that has no cloud behind it.
#include <csignal>
#include <unistd.h>

#include "agent/build_facts.hpp"
#include "agent/commands/fleet.hpp"
#include "agent/configuration/configuration.hpp"
#include "agent/fleet/fleet_server.hpp"
#include "agent/identity/identity_directory.hpp"
#include "agent/local/control_socket.hpp"
#include "agent/local/service_notice.hpp"
#include "agent/local/state_directory.hpp"
#include "platform/unix_socket.hpp"

namespace fieldpost {
namespace {

constexpr CommandOption kOptions[] = {kFleetConfigurationOption};

/// A state of 64 KiB, each of its bytes escaped, and names around it.
constexpr std::size_t kRequestBytesMax = 132U << 10U;
constexpr std::size_t kInFlightMax = 100;
constexpr unsigned kStopSeconds = 5;

ExitCode refused(const Error& error, std::string_view what) {
  complain("fleet serve", std::string{what} + ": " + error.sentence());
  return ExitCode::failed;
}

ExitCode run_serve(const Arguments& arguments) {
  const std::string path = arguments.text("--config", kFleetConfigurationPath);
  ConfigurationResult loaded = load_configuration(path, driver_table());
  for (const Problem& problem : loaded.problems) {
    if (problem.severity == Problem::Severity::error) complain("fleet serve", to_text(problem));
  }
  if (!loaded.ok()) return ExitCode::failed;
  Configuration& configuration = loaded.configuration;
  if (!configuration.has_broker) return refused({ErrorKind::NotPresent, "there is no [broker]"}, path);

  const SystemClock clock{UtcTime{seconds{build_facts::kSourceDate}}};
  Log log{clock, configuration.log_level};
  const auto loop = make_event_loop(clock);
  const std::string& directory = configuration.state_directory;
  if (const auto made = make_directories(directory); !made) return refused(made.error(), directory);
  const auto database = FleetDatabase::open(directory + "/fleet.db");
  if (!database) return refused(database.error(), directory + "/fleet.db");
  // An agent on the same machine has the same name.
  configuration.link.client_id += "-fleet";
  configuration.link.in_flight_messages_max = kInFlightMax;
  use_identity(identity_directory(directory), configuration.link);
  const auto link = Link::make(*loop, log, configuration.link);
  if (!link) return refused(link.error(), path);
  FleetServer server{*loop, log, **link, **database, configuration.topic_prefix};
  const std::string socket = fleet_socket(directory);
  auto listener = listen_unix(socket);
  if (!listener) return refused(listener.error(), socket);
  ControlSocket control{*loop, log, std::move(*listener)};
  control.answer_others(kRequestBytesMax, [&server](std::string_view request) { return server.answer(request); });

  const ServiceNotice notice{ServiceNotice::environment()};
  const auto stop = [&] {
    log.info("stopping");
    notice.stopping();
    ::alarm(kStopSeconds);
    (*link)->stop([&loop] { loop->stop(); });
  };
  const Subscription terminate = loop->on_signal(SIGTERM, stop);
  const Subscription interrupt = loop->on_signal(SIGINT, stop);
  Subscription alive;
  if (const auto interval = notice.alive_interval()) alive = loop->every(clock.now(), *interval, [&notice] { notice.alive(); });
  log.info("starting", {{"version", build_facts::kVersion}, {"configuration", path}, {"prefix", configuration.topic_prefix}});
  server.start();
  (*link)->start();
  notice.ready("serving");
  loop->run();
  ::unlink(socket.c_str());
  log.info("stopped");
  return ExitCode::ok;
}

}  // namespace

constexpr Command kFleetServeCommand{
    "fleet serve", "serve jobs and desired state to the devices of a broker, until stopped",
    "Connects to the [broker] of its configuration and answers the devices below its topic_prefix, with\n"
    "the documents and the rules of AWS IoT Jobs and Device Shadow. What it knows is in fleet.db below\n"
    "[device] state_directory, and is on the disk before a device or an operator hears of it: a server\n"
    "that was killed goes on where it was. The other fleet commands talk to it through fleet.sock there.\n"
    "\n"
    "The configuration is as an agent's; this much is enough:\n"
    "  [device]\n"
    "  name = \"fleet\"\n"
    "  state_directory = \"/var/lib/fieldpost-fleet\"\n"
    "  [broker]\n"
    "  url = \"mqtts://broker.example:8883\"\n"
    "  ca_file = \"ca.pem\"\n"
    "  certificate_file = \"fleet.pem\"\n"
    "  key_file = \"fleet.key\"\n"
    "The broker must let it, and nobody else, publish on PREFIX/DEVICE/jobs/# and /shadow/# of others.\n"
    "\n"
    "SIGTERM, SIGINT  stop in order\n"
    "\n"
    "exit codes: 0 stopped in order; 1 not started (standard error says why); 2 wrong command line\n",
    kOptions,
    "  fieldpost fleet serve\n"
    "  fieldpost fleet serve --config ./fleet.toml\n",
    &run_serve};

}  // namespace fieldpost
