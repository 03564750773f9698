// SPDX-License-Identifier: Apache-2.0
// `fieldpost version`: exactly what this binary was made of.
#include "agent/commands/command.hpp"
#include "agent/build_facts.hpp"
#include "platform/json.hpp"

namespace fieldpost {
namespace {

constexpr CommandOption kOptions[] = {
    {"--format", "FORMAT", "lines for people, or one JSON document", "text|json"},
};

std::string version_json() {
  JsonWriter json;
  json.begin_object();
  json.member("version", build_facts::kVersion)
      .member("revision", build_facts::kRevision)
      .member("target", build_facts::kTarget)
      .member("profile", build_facts::kProfile)
      .member("compiler", build_facts::kCompiler);
  json.key("dependencies").begin_object();
  for (const auto& dependency : build_facts::kDependencies) {
    json.member(dependency.name, dependency.version);
  }
  json.end_object();
  json.key("features").begin_array();
  for (const std::string_view feature : build_facts::kFeatures) json.value(feature);
  json.end_array().end_object();
  return std::move(json).take();
}

std::string version_text() {
  std::string text = "fieldpost " + std::string{build_facts::kVersion};
  if (!build_facts::kRevision.empty()) text += ", revision " + std::string{build_facts::kRevision};
  text += "\n" + std::string{build_facts::kTarget} + ", " + std::string{build_facts::kProfile} + ", " +
          std::string{build_facts::kCompiler} + "\n";
  for (const auto& dependency : build_facts::kDependencies) {
    text += "  " + std::string{dependency.name} + " " + std::string{dependency.version} + "\n";
  }
  text += "features:";
  for (const std::string_view feature : build_facts::kFeatures) text += " " + std::string{feature};
  return text + "\n";
}

ExitCode run_version(const Arguments& arguments) {
  print(arguments.text("--format", "text") == "json" ? version_json() + "\n" : version_text());
  return ExitCode::ok;
}

}  // namespace

constexpr Command kVersionCommand{
    "version", "print version, revision, target and the versions of all libraries inside",
    "Prints what this binary was made of; the first line is for bug reports.\n"
    "\n"
    "exit codes: 0 always; 2 wrong command line\n",
    kOptions,
    "  fieldpost version\n"
    "  fieldpost version --format json\n",
    &run_version};

}  // namespace fieldpost
