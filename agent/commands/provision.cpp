// SPDX-License-Identifier: Apache-2.0
// `fieldpost provision`: gives the device its identity. The key is made here and stays; a request goes out, a certificate
// comes back, is tried at the broker, and only then taken into use.
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>

#include "agent/build_facts.hpp"
#include "agent/cloud/aws_claim.hpp"
#include "agent/commands/command.hpp"
#include "agent/configuration/configuration.hpp"
#include "agent/identity/identity_directory.hpp"
#include "agent/identity/identity_proof.hpp"
#include "agent/local/state_directory.hpp"
#include "platform/durable_file.hpp"
#include "platform/json.hpp"

namespace fieldpost {
namespace {

constexpr CommandOption kOptions[] = {
    {"--config", "FILE", "configuration; default /etc/fieldpost/fieldpost.toml"},
    {"--request", "", "make key and request, print the request (PEM); again: the same key"},
    {"--subject", "NAME", "with --request: whose it is; default: as in [identity], CN=<device name>"},
    {"--key", "KIND", "with --request: kind of the key; default: [identity] key", kKeyKinds},
    {"--install", "FILE", "take over the certificate (PEM chain, own first), try it, use it"},
    {"--claim", "TEMPLATE", "AWS: signed and registered through this provisioning template"},
    {"--claim-certificate", "FILE", "with --claim: the batch's claim certificate (PEM)"},
    {"--claim-key", "FILE", "with --claim: its key"},
    {"--parameters", "LIST", "with --claim: what the template asks for: SerialNumber=123,Model=B"},
    {"--unproved", "", "with --install or --claim: use it without trying it at the broker"},
    {"--discard", "", "forget a request or certificate that is not in use"},
    {"--format", "FORMAT", "what is there: lines for people, or one JSON document", "text|json"},
};

constexpr std::size_t kCertificateBytesMax = 64U << 10U;

/// Runs `act` as the owner of the state directory, if we are root and it is another: the agent must be able to read what is made,
/// and who owns a directory could else lead root astray in it.
/// Errors: Denied (the system does not let root act as another); those of `act`
template <typename Act>
Result<void> as_owner_of(const std::string& state_directory, Act act) {
  struct stat about {};
  if (::geteuid() != 0 || ::stat(state_directory.c_str(), &about) != 0 || about.st_uid == 0) return act();
  std::array<gid_t, 256> groups{};
  const int count = ::getgroups(static_cast<int>(groups.size()), groups.data());
  Result<void> result;
  if (count < 0 || ::setgroups(0, nullptr) != 0 || ::setegid(about.st_gid) != 0 || ::seteuid(about.st_uid) != 0) {
    result = errno_error("act as the owner of " + state_directory, errno);
  } else {
    result = act();
  }
  if (::seteuid(0) != 0 || ::setegid(0) != 0 || (count >= 0 && ::setgroups(static_cast<std::size_t>(count), groups.data()) != 0)) std::abort();
  return result;
}

struct Described {
  std::string use;  ///< "in use", "requested", "not in use yet"
  const IdentityDirectory::Generation& generation;
  std::optional<Result<DeviceCertificate>> certificate;
};

Described describe(const IdentityDirectory::Generation& generation, bool in_use) {
  if (!generation.has_certificate) return {"requested", generation, std::nullopt};
  return {in_use ? "in use" : "not in use yet", generation, DeviceCertificate::read(generation.certificate_file)};
}

std::string lines(const Described& described, UtcTime now) {
  std::string text = described.use + ": generation " + std::to_string(described.generation.number) + "\n";
  if (!described.certificate) return text + "  request   " + described.generation.request_file + "\n";
  if (!*described.certificate) return text + "  broken    " + described.certificate->error().sentence() + "\n";
  const DeviceCertificate& certificate = **described.certificate;
  return text + "  subject   " + certificate.subject + "\n  issuer    " + certificate.issuer + "\n  serial    " + certificate.serial +
         "\n  valid     " + to_rfc3339(certificate.not_before) + " to " + to_rfc3339(certificate.not_after) + " (" +
         std::string{to_string(age_of(certificate, now))} + ")\n  renewal   from " + to_rfc3339(renewal_due(certificate)) + " on\n";
}

void write_json(JsonWriter& json, const Described& described, UtcTime now) {
  json.begin_object();
  json.member("generation", std::int64_t{described.generation.number});
  if (!described.certificate) {
    json.member("request_file", described.generation.request_file);
  } else if (!*described.certificate) {
    json.member("error", described.certificate->error().sentence());
  } else {
    const DeviceCertificate& certificate = **described.certificate;
    json.member("certificate_file", described.generation.certificate_file);
    json.member("subject", certificate.subject);
    json.member("issuer", certificate.issuer);
    json.member("serial", certificate.serial);
    json.member("not_before", to_rfc3339(certificate.not_before));
    json.member("not_after", to_rfc3339(certificate.not_after));
    json.member("renewal_due", to_rfc3339(renewal_due(certificate)));
    json.member("age", to_string(age_of(certificate, now)));
  }
  json.end_object();
}

ExitCode failed(const Error& error) {
  complain("provision", error.sentence());
  return ExitCode::failed;
}

ExitCode show(const IdentityDirectory& identity, UtcTime now, bool as_json) {
  if (as_json) {
    JsonWriter json;
    json.begin_object();
    json.member("directory", identity.path()).member("fault", identity.fault());
    if (identity.current()) {
      json.key("current");
      write_json(json, describe(*identity.current(), true), now);
    }
    if (identity.pending()) {
      json.key("pending");
      write_json(json, describe(*identity.pending(), false), now);
    }
    json.end_object();
    print(std::move(json).take() + "\n");
    return ExitCode::ok;
  }
  print("identity in " + identity.path() + "\n");
  if (!identity.fault().empty()) print("broken: " + identity.fault() + "; --request begins a new one\n");
  if (identity.current()) print(lines(describe(*identity.current(), true), now));
  if (identity.pending()) print(lines(describe(*identity.pending(), false), now));
  if (!identity.current() && !identity.pending() && identity.fault().empty()) print("none yet; `fieldpost provision --request` makes a key and a request\n");
  return ExitCode::ok;
}

ExitCode request(IdentityDirectory& identity, const Arguments& arguments, const Configuration& configuration) {
  const IdentityOptions& options = configuration.identity;
  const bool key_was_there = identity.pending().has_value();
  const KeyKind kind = key_kind(arguments.text("--key", "")).value_or(options.key);
  const auto made = as_owner_of(configuration.state_directory,
                                [&] { return identity.request(kind, arguments.text("--subject", options.subject)); });
  if (!made) return failed(made.error());
  const auto text = read_file(identity.pending()->request_file, kCertificateBytesMax);
  if (!text) return failed(text.error());
  print(*text);
  complain("provision", std::string{key_was_there ? "the key that waits already was kept" : "a key was made"} +
                            "; have this request signed, then: fieldpost provision --install CERTIFICATE");
  return ExitCode::ok;
}

/// One connection to the broker with the pending identity.
Result<void> prove(const IdentityDirectory& identity, LinkOptions options, const SystemClock& clock) {
  options.certificate_file = identity.pending()->certificate_file;
  options.key_file = identity.pending()->key_file;
  options.key_password.clear();
  Log log{clock, LogLevel::error};
  const auto loop = make_event_loop(clock, &log);
  Result<void> result;
  const auto proof = TRY(IdentityProof::begin(*loop, log, std::move(options), [&](const Result<void>& outcome) {
    result = outcome;
    loop->stop();
  }));
  loop->run();
  return result;
}

/// "SerialNumber=123,Model=B".
/// Errors: Malformed
Result<AwsClaim::Parameters> parameters_of(std::string_view list) {
  AwsClaim::Parameters parameters;
  while (!list.empty()) {
    const std::string_view one = list.substr(0, list.find(','));
    const std::size_t equals = one.find('=');
    if (equals == std::string_view::npos || equals == 0) {
      return Error{ErrorKind::Malformed, "--parameters: \"" + std::string{one} + "\" is not NAME=VALUE"};
    }
    parameters.emplace_back(one.substr(0, equals), one.substr(equals + 1));
    list.remove_prefix(std::min(one.size() + 1, list.size()));
  }
  return parameters;
}

struct Claimed {
  std::string chain;
  std::string thing_name;
};

/// Connects with the claim certificate and has the pending request signed and this device registered.
Result<Claimed> claim(const IdentityDirectory& identity, const Arguments& arguments, LinkOptions options, const SystemClock& clock) {
  options.certificate_file = arguments.text("--claim-certificate", "");
  options.key_file = arguments.text("--claim-key", "");
  options.key_password.clear();
  options.will.reset();
  const auto request = TRY(read_file(identity.pending()->request_file, kCertificateBytesMax));
  Log log{clock, LogLevel::error};
  const auto loop = make_event_loop(clock, &log);
  const auto link = TRY(Link::make(*loop, log, std::move(options)));
  AwsClaim aws{*loop, *link, arguments.text("--claim", ""), TRY(parameters_of(arguments.text("--parameters", "")))};
  Result<std::string> chain{Error{ErrorKind::Timeout, ""}};
  bool asked = false;
  int failures = 0;
  const auto end = [&](Result<std::string> outcome) {
    chain = std::move(outcome);
    link->stop([&loop] { loop->stop(); });
  };
  link->on_change([&](LinkState state) {
    if (state == LinkState::connected && !asked) {
      asked = true;
      static_cast<void>(aws.ask(request, end));
    } else if (state == LinkState::waiting && !asked && ++failures == IdentityProof::kAttemptsMax) {
      end(Error{ErrorKind::Denied, link->status().last_error});
    }
  });
  link->start();
  loop->run();
  return Claimed{TRY(std::move(chain)), aws.thing_name()};
}

/// The pending identity, proved if that is wanted, is in use from now on.
ExitCode use_pending(IdentityDirectory& identity, const Arguments& arguments, const Configuration& configuration, const SystemClock& clock) {
  if (!arguments.has("--unproved")) {
    if (!configuration.has_broker) {
      return failed({ErrorKind::NotPresent, "no [broker] to try the certificate at; give one, or --unproved"});
    }
    if (const auto proved = prove(identity, configuration.link, clock); !proved) {
      complain("provision", proved.error().sentence());
      complain("provision", identity.current() ? "the broker did not take it; the identity in use stays. Try again, or --discard"
                                               : "the broker did not take it; try again, --discard it, or take it --unproved");
      return ExitCode::failed;
    }
  }
  const bool is_first = !identity.current();
  if (const auto adopted = as_owner_of(configuration.state_directory, [&] { return identity.adopt(); }); !adopted) return failed(adopted.error());
  print("in use: " + current_certificate_file(identity.path()) + "\n");
  if (!configuration.link.certificate_file.empty()) {
    complain("provision", "[broker] names a certificate_file of its own, and that is what the agent uses: take the line out");
  } else if (is_first) {
    complain("provision", "an agent that runs already takes it when it is told to reload: systemctl reload fieldpost");
  }
  return ExitCode::ok;
}

ExitCode install(IdentityDirectory& identity, const std::string& chain, const Arguments& arguments,
                 const Configuration& configuration, const SystemClock& clock) {
  const auto installed = as_owner_of(configuration.state_directory, [&] { return identity.install(chain, clock.utc_above_floor().time); });
  return installed ? use_pending(identity, arguments, configuration, clock) : failed(installed.error());
}

ExitCode install_file(IdentityDirectory& identity, const Arguments& arguments, const Configuration& configuration,
                      const SystemClock& clock) {
  const auto chain = read_file(arguments.text("--install", ""), kCertificateBytesMax);
  return chain ? install(identity, *chain, arguments, configuration, clock) : failed(chain.error());
}

ExitCode provision_by_claim(IdentityDirectory& identity, const Arguments& arguments, Configuration configuration,
                            const SystemClock& clock) {
  if (!configuration.has_broker) return failed({ErrorKind::NotPresent, "no [broker]: give the account's endpoint as its url"});
  // Signed and registered before, and then not proved.
  if (identity.pending() && identity.pending()->has_certificate) return use_pending(identity, arguments, configuration, clock);
  const auto made = as_owner_of(configuration.state_directory,
                                [&] { return identity.request(configuration.identity.key, configuration.identity.subject); });
  if (!made) return failed(made.error());
  const auto claimed = claim(identity, arguments, configuration.link, clock);
  if (!claimed) return failed(claimed.error());
  if (claimed->thing_name != configuration.device_name) {
    complain("provision", "the cloud calls this device \"" + claimed->thing_name + "\": write name = \"" + claimed->thing_name +
                              "\" into [device], or its policies will refuse it");
    configuration.link.client_id = claimed->thing_name;
  }
  return install(identity, claimed->chain, arguments, configuration, clock);
}

/// At most one thing is asked for, and nothing that belongs to another.
bool makes_sense(const Arguments& arguments) {
  const int wanted = int{arguments.has("--request")} + int{arguments.has("--install")} + int{arguments.has("--discard")} +
                     int{arguments.has("--claim")};
  if (wanted > 1) return false;
  if ((arguments.has("--subject") || arguments.has("--key")) && !arguments.has("--request")) return false;
  if (arguments.has("--claim") != arguments.has("--claim-certificate") || arguments.has("--claim") != arguments.has("--claim-key")) return false;
  if (arguments.has("--parameters") && !arguments.has("--claim")) return false;
  if (arguments.has("--unproved") && !arguments.has("--install") && !arguments.has("--claim")) return false;
  return !arguments.has("--format") || wanted == 0;
}

ExitCode run_provision(const Arguments& arguments) {
  if (!makes_sense(arguments)) {
    complain("provision", "one of --request, --install, --claim, --discard, each with its own options; see fieldpost provision --help");
    return ExitCode::usage;
  }
  const std::string path = arguments.text("--config", kDefaultConfigurationPath);
  const ConfigurationResult loaded = load_configuration(path, driver_table());
  if (!loaded.ok()) {
    for (const Problem& problem : loaded.problems) {
      if (problem.severity == Problem::Severity::error) complain("provision", to_text(problem));
    }
    return ExitCode::failed;
  }
  const Configuration& configuration = loaded.configuration;
  const SystemClock clock{UtcTime{seconds{build_facts::kSourceDate}}};
  auto identity = IdentityDirectory::open(identity_directory(configuration.state_directory));
  if (!identity) return failed(identity.error());
  if (arguments.has("--request") || arguments.has("--claim")) {
    if (const auto made = make_directories(configuration.state_directory); !made) return failed(made.error());
    if (arguments.has("--claim")) return provision_by_claim(*identity, arguments, configuration, clock);
    return request(*identity, arguments, configuration);
  }
  if (arguments.has("--install")) return install_file(*identity, arguments, configuration, clock);
  if (arguments.has("--discard")) {
    const auto discarded = as_owner_of(configuration.state_directory, [&] { return identity->discard(); });
    if (!discarded) return failed(discarded.error());
    print("discarded\n");
    return ExitCode::ok;
  }
  return show(*identity, clock.utc_above_floor().time, arguments.text("--format", "text") == "json");
}

}  // namespace

constexpr Command kProvisionCommand{
    "provision", "give this device its key and certificate, or renew them",
    "The key is made on the device and never leaves it. What leaves is a request (PKCS#10) for your CA:\n"
    "  fieldpost provision --request > gateway-1.csr\n"
    "  (your CA signs it)\n"
    "  fieldpost provision --install gateway-1.pem\n"
    "The certificate is tried: a connection to the [broker] with it. If the broker takes it, it is in use;\n"
    "if not, what was in use stays. An agent that runs is sent away by the broker meanwhile, and comes\n"
    "back with the new one; at the very first, tell it to reload.\n"
    "Key and certificate lie below [device] state_directory, in identity/, and are used where [broker]\n"
    "names no certificate_file. The same two steps renew them. Without an option: what is there, and\n"
    "until when it is valid.\n"
    "\n"
    "On AWS IoT, fleet provisioning by claim does it in one step: --claim TEMPLATE with the batch's claim\n"
    "certificate and key.\n"
    "\n"
    "exit codes: 0 done; 1 failed (standard error says why, and what is in use stays); 2 wrong command line\n",
    kOptions,
    "  fieldpost provision\n"
    "  fieldpost provision --request --subject CN=gateway-1,O=Acme > gateway-1.csr\n"
    "  fieldpost provision --install gateway-1.pem\n"
    "  fieldpost provision --claim gateways --claim-certificate claim.pem --claim-key claim.key \\\n"
    "      --parameters SerialNumber=123\n"
    "  fieldpost provision --format json | jq .current.not_after\n",
    &run_provision};

}  // namespace fieldpost
