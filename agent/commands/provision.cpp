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
#include <initializer_list>
#include <iterator>

#include "agent/build_facts.hpp"
#include "agent/cloud/azure_assignment.hpp"
#include "agent/commands/command.hpp"
#include "agent/commands/enrolment.hpp"
#include "agent/configuration/configuration.hpp"
#include "agent/identity/identity_directory.hpp"
#include "agent/identity/identity_proof.hpp"
#include "agent/link/credential_file.hpp"
#include "agent/local/state_directory.hpp"
#include "agent/wiring_identity.hpp"
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
    {"--parameters", "LIST", "with --claim: what the template asks for: SerialNumber=123,Model=B"},
    {"--dps", "SCOPE", "Azure: let the provisioning service of this ID scope name the hub"},
    {"--dps-host", "HOST[:PORT]", "with --dps: the service; default: global.azure-devices-provisioning.net"},
    {"--est", "URL", "signed by the CA behind this EST server (https://...)"},
    {"--est-ca", "FILE", "with --est: whom to trust there (PEM); default: as [broker] ca_file"},
    {"--est-user", "NAME", "with --est: user name, where the server wants one"},
    {"--est-password-file", "FILE", "with --est-user: the file with its password"},
    {"--claim-certificate", "FILE", "with --claim, --dps, --est: the batch's certificate (PEM)"},
    {"--claim-key", "FILE", "with --claim-certificate: its key"},
    {"--unproved", "", "with --install, --claim, --dps, --est: use it without trying it at the broker"},
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
  const auto read = read_azure_assignment(identity.path());
  const std::optional<AzureAssignment> hub = read ? *read : std::nullopt;  // what is wrong with it has been said
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
    if (hub) {
      json.key("azure").begin_object();
      json.member("hub", hub->hub).member("device_id", hub->device_id).member("scope_id", hub->scope_id).end_object();
    }
    json.end_object();
    print(std::move(json).take() + "\n");
    return ExitCode::ok;
  }
  print("identity in " + identity.path() + "\n");
  if (!identity.fault().empty()) print("broken: " + identity.fault() + "; --request begins a new one\n");
  if (identity.current()) print(lines(describe(*identity.current(), true), now));
  if (identity.pending()) print(lines(describe(*identity.pending(), false), now));
  if (hub) print("assigned to " + hub->hub + " as " + hub->device_id + " (Azure, scope " + hub->scope_id + ")\n");
  if (!identity.current() && !identity.pending() && identity.fault().empty()) print("none yet; `fieldpost provision --request` makes a key and a request\n");
  return ExitCode::ok;
}

ExitCode request(IdentityDirectory& identity, const Arguments& arguments, Configuration configuration, const SystemClock&) {
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

/// The pending request, made if there is none; for `subject` where that is not the configured one.
/// Errors: as IdentityDirectory::request
Result<std::string> requested(IdentityDirectory& identity, const Configuration& configuration, const std::string& subject) {
  TRY(as_owner_of(configuration.state_directory, [&] { return identity.request(configuration.identity.key, subject); }));
  return read_file(identity.pending()->request_file, kCertificateBytesMax);
}

bool is_signed(const IdentityDirectory& identity) { return identity.pending() && identity.pending()->has_certificate; }

ExitCode provision_by_claim(IdentityDirectory& identity, const Arguments& arguments, Configuration configuration,
                            const SystemClock& clock) {
  if (!configuration.has_broker) return failed({ErrorKind::NotPresent, "no [broker]: give the account's endpoint as its url"});
  // Signed and registered before, and then not proved.
  if (is_signed(identity)) return use_pending(identity, arguments, configuration, clock);
  const auto made = requested(identity, configuration, configuration.identity.subject);
  if (!made) return failed(made.error());
  auto parameters = template_parameters(arguments.text("--parameters", ""));
  if (!parameters) return failed(parameters.error().with_context("--parameters"));
  LinkOptions options = configuration.link;
  options.certificate_file = arguments.text("--claim-certificate", "");
  options.key_file = arguments.text("--claim-key", "");
  const auto claimed = enrol_by_claim(*made, arguments.text("--claim", ""), std::move(*parameters), std::move(options), clock);
  if (!claimed) return failed(claimed.error());
  if (claimed->thing_name != configuration.device_name) {
    complain("provision", "the cloud calls this device \"" + claimed->thing_name + "\": write name = \"" + claimed->thing_name +
                              "\" into [device], or its policies will refuse it");
    configuration.link.client_id = claimed->thing_name;
  }
  return install(identity, claimed->chain, arguments, configuration, clock);
}

/// What attests the device to Azure: the batch's certificate, or the device's own.
/// Errors: NotPresent
Result<LinkOptions> attesting(const IdentityDirectory& identity, const Arguments& arguments, LinkOptions options) {
  const auto& own = is_signed(identity) ? identity.pending() : identity.current();
  if (arguments.has("--claim-certificate")) {
    options.certificate_file = arguments.text("--claim-certificate", "");
    options.key_file = arguments.text("--claim-key", "");
  } else if (own) {
    options.certificate_file = own->certificate_file;
    options.key_file = own->key_file;
  } else if (options.certificate_file.empty()) {
    return Error{ErrorKind::NotPresent, "no certificate that attests this device: take its own over with --request and --install FILE "
                                        "--unproved, or give the batch's with --claim-certificate"};
  }
  return options;
}

ExitCode provision_by_dps(IdentityDirectory& identity, const Arguments& arguments, Configuration configuration,
                          const SystemClock& clock) {
  if (!configuration.has_broker || configuration.cloud.profile != CloudOptions::Profile::azure) {
    return failed({ErrorKind::NotPresent, "--dps needs [cloud] profile = \"azure\", and a [broker]"});
  }
  const bool issues = arguments.has("--claim-certificate");
  if (issues && is_signed(identity)) return use_pending(identity, arguments, configuration, clock);
  auto options = attesting(identity, arguments, configuration.link);
  if (!options) return failed(options.error());
  const auto attests = DeviceCertificate::read(options->certificate_file);
  if (!attests) return failed(attests.error().with_context(options->certificate_file));
  const auto id = AzureDps::registration_id(attests->subject);
  if (!id) return failed(id.error());
  std::string request;
  if (issues) {
    auto made = requested(identity, configuration, "CN=" + *id);
    if (!made) return failed(made.error());
    request = std::move(*made);
  }
  const std::string scope = arguments.text("--dps", "");
  const std::string host = arguments.text("--dps-host", std::string{AzureDps::kHost});
  const auto registered = enrol_by_dps(request, *id, AzureDps::link_options(std::move(*options), host, scope, *id, issues), clock);
  if (!registered) return failed(registered.error());
  const std::string& directory = identity.path();
  const auto kept = as_owner_of(configuration.state_directory, [&]() -> Result<void> {
    TRY(make_directories(directory));
    return write_azure_assignment(directory, {registered->hub, registered->device_id, scope});
  });
  if (!kept) return failed(kept.error());
  if (const auto used = use_azure_assignment(directory, configuration.cloud, configuration.link); !used) return failed(used.error());
  print("assigned to " + registered->hub + " as " + registered->device_id + "\n");
  if (registered->device_id != configuration.device_name) {
    complain("provision", "the hub calls this device \"" + registered->device_id + "\": write name = \"" + registered->device_id +
                              "\" into [device], or the hub will refuse it");
  }
  if (issues) return install(identity, registered->chain_pem, arguments, configuration, clock);
  return is_signed(identity) ? use_pending(identity, arguments, configuration, clock) : ExitCode::ok;
}

ExitCode provision_by_est(IdentityDirectory& identity, const Arguments& arguments, Configuration configuration,
                          const SystemClock& clock) {
  if (is_signed(identity)) return use_pending(identity, arguments, configuration, clock);
  const auto made = requested(identity, configuration, configuration.identity.subject);
  if (!made) return failed(made.error());
  EstOptions est{arguments.text("--est", ""), arguments.text("--est-user", ""), ""};
  HttpOptions options = est_http_options(configuration);
  if (arguments.has("--est-ca")) options.ca_file = arguments.text("--est-ca", "");
  if (arguments.has("--claim-certificate")) {
    options.certificate_file = arguments.text("--claim-certificate", "");
    options.key_file = arguments.text("--claim-key", "");
  } else if (identity.current()) {
    options.certificate_file = identity.current()->certificate_file;
    options.key_file = identity.current()->key_file;
    est.renewal = true;
  }
  if (arguments.has("--est-password-file")) {
    auto password = CredentialFile::read("--est-password-file", arguments.text("--est-password-file", ""), CredentialFile::Kind::secret);
    if (!password) return failed(password.error());
    est.password = reinterpret_cast<const char*>(password->bytes());
    while (est.password.ends_with('\n') || est.password.ends_with('\r')) est.password.pop_back();
  }
  const auto chain = enrol_by_est(*made, std::move(est), std::move(options), clock);
  return chain ? install(identity, *chain, arguments, configuration, clock) : failed(chain.error());
}

/// An option, and those of which one must be there with it.
struct Belongs {
  std::string_view option;
  std::initializer_list<std::string_view> to;
};

/// At most one thing is asked for, and nothing that belongs to another.
bool makes_sense(const Arguments& arguments) {
  constexpr std::string_view kWays[] = {"--request", "--install", "--claim", "--dps", "--est", "--discard"};
  const auto wanted = std::count_if(std::begin(kWays), std::end(kWays), [&](std::string_view way) { return arguments.has(way); });
  if (wanted > 1 || (arguments.has("--format") && wanted > 0)) return false;
  const Belongs belongings[] = {{"--subject", {"--request"}},
                                {"--key", {"--request"}},
                                {"--parameters", {"--claim"}},
                                {"--claim", {"--claim-certificate"}},
                                {"--claim-certificate", {"--claim", "--dps", "--est"}},
                                {"--claim-certificate", {"--claim-key"}},
                                {"--claim-key", {"--claim-certificate"}},
                                {"--dps-host", {"--dps"}},
                                {"--est-ca", {"--est"}},
                                {"--est-user", {"--est"}},
                                {"--est-user", {"--est-password-file"}},
                                {"--est-password-file", {"--est-user"}},
                                {"--unproved", {"--install", "--claim", "--dps", "--est"}}};
  return std::all_of(std::begin(belongings), std::end(belongings), [&](const Belongs& one) {
    return !arguments.has(one.option) || std::any_of(one.to.begin(), one.to.end(), [&](std::string_view other) { return arguments.has(other); });
  });
}

/// Those that make a key, and so the directory for it.
struct Way {
  std::string_view option;
  ExitCode (*go)(IdentityDirectory& identity, const Arguments& arguments, Configuration configuration, const SystemClock& clock);
};
constexpr Way kWays[] = {{"--request", &request}, {"--claim", &provision_by_claim}, {"--dps", &provision_by_dps}, {"--est", &provision_by_est}};

ExitCode run_provision(const Arguments& arguments) {
  if (!makes_sense(arguments)) {
    complain("provision", "one of --request, --install, --claim, --dps, --est, --discard, each with its own options; see fieldpost provision --help");
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
  Configuration configuration = loaded.configuration;
  const SystemClock clock{UtcTime{seconds{build_facts::kSourceDate}}};
  auto identity = IdentityDirectory::open(identity_directory(configuration.state_directory));
  if (!identity) return failed(identity.error());
  // What is broken there, --dps makes anew.
  const auto used = use_azure_assignment(identity->path(), configuration.cloud, configuration.link);
  if (!used && !arguments.has("--dps")) complain("provision", used.error().sentence());
  for (const Way& way : kWays) {
    if (!arguments.has(way.option)) continue;
    if (const auto made = make_directories(configuration.state_directory); !made) return failed(made.error());
    return way.go(*identity, arguments, configuration, clock);
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
    "In one step, where a service signs or knows the device:\n"
    "  --claim  AWS IoT, fleet provisioning by claim: through a template, with the batch's claim certificate\n"
    "           (JITP and JITR need nothing but --install: the first connection registers)\n"
    "  --dps    Azure: registers with the certificate the device has, installed before with --unproved; its\n"
    "           common name is the registration id. The hub that is assigned takes the place of [broker]'s.\n"
    "           With --claim-certificate the enrolment issues the device's own (preview)\n"
    "  --est    a CA's EST server (RFC 7030): the first time with --est-user or the batch's certificate,\n"
    "           then with the device's own. A CA that decides by hand is waited for ten minutes; again: the\n"
    "           same request. [identity] authority = \"est\" has the agent renew by itself\n"
    "\n"
    "exit codes: 0 done; 1 failed (standard error says why, and what is in use stays); 2 wrong command line\n",
    kOptions,
    "  fieldpost provision\n"
    "  fieldpost provision --request --subject CN=gateway-1,O=Acme > gateway-1.csr\n"
    "  fieldpost provision --install gateway-1.pem\n"
    "  fieldpost provision --claim gateways --claim-certificate claim.pem --claim-key claim.key \\\n"
    "      --parameters SerialNumber=123\n"
    "  fieldpost provision --dps 0ne00ABCDEF\n"
    "  fieldpost provision --est https://ca.example --est-user factory --est-password-file est.password\n"
    "  fieldpost provision --format json | jq .current.not_after\n",
    &run_provision};

}  // namespace fieldpost
