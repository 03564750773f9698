// SPDX-License-Identifier: Apache-2.0
#include "agent/jobs/command_document.hpp"

#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "agent/jobs/allowed_program.hpp"
#include "platform/durable_file.hpp"

namespace fieldpost {
namespace {

Error malformed(std::string words) { return Error{ErrorKind::Malformed, std::move(words)}; }

/// Errors: Malformed (there, and no text)
Result<std::string> text_at(const Json& json, std::string_view name) {
  const auto member = json.at(name);
  if (!member || member->is_null()) return std::string{};
  auto text = member->string();
  if (!text) return malformed("\"" + std::string{name} + "\" is no text");
  return std::move(*text);
}

/// Errors: Malformed, OutOfRange
Result<std::vector<std::string>> texts_at(const Json& json, std::string_view name) {
  std::vector<std::string> texts;
  const auto member = json.at(name);
  if (!member || member->is_null()) return texts;
  for (const Json& each : member->elements()) {
    auto text = each.string();
    if (!text) return malformed("\"" + std::string{name} + "\" is no list of texts");
    texts.push_back(std::move(*text));
  }
  if (!member->is_array()) return malformed("\"" + std::string{name} + "\" is no list of texts");
  if (texts.size() > kCommandArgumentsMax) return Error{ErrorKind::OutOfRange, "more than 64 words in \"" + std::string{name} + "\""};
  return texts;
}

/// How many lines on standard error are none too many. Errors: Malformed (text would otherwise mean: any number)
Result<std::optional<std::int64_t>> lines_at(const Json& json) {
  const auto member = json.at("allowStdErr");
  if (!member || member->is_null()) return std::optional<std::int64_t>{};
  const auto lines = member->integer();
  if (!lines) return malformed("\"allowStdErr\" is no number");
  return lines;
}

/// The Device Client writes this one as text; a flag is taken as well.
bool flag_at(const Json& json, std::string_view name) {
  const auto member = json.at(name);
  return member && (member->boolean().value_or(false) || member->string() == "true");
}

/// Looked up in the file itself: glibc's getpwuid_r() takes all of its name services with it, and those want shared libraries.
bool is_own_user(const std::string& user) {
  const std::string users = "\n" + read_file("/etc/passwd", std::size_t{1} << 20).value_or("");
  const std::size_t name = users.find("\n" + user + ":");  // name:password:number:...
  if (name == std::string::npos) return false;
  const std::size_t number = users.find(':', name + user.size() + 2);
  uid_t id = 0;
  return number != std::string::npos && std::from_chars(users.data() + number + 1, users.data() + users.size(), id).ec == std::errc{} &&
         id == ::geteuid();
}

/// "echo,Hello\, world" is two words.
std::vector<std::string> words_of(std::string_view command) {
  std::vector<std::string> words{""};
  for (std::size_t i = 0; i < command.size(); ++i) {
    if (command[i] == '\\' && i + 1 < command.size() && command[i + 1] == ',') {
      words.back() += command[++i];
    } else if (command[i] == ',') {
      words.emplace_back();
    } else {
      words.back() += command[i];
    }
  }
  return words;
}

Result<void> add_handler(CommandStep& step, const std::string& user, const Json& input, std::string_view name_key, const JobOptions& options) {
  step.handler = TRY(text_at(input, name_key));
  const std::string place = TRY(text_at(input, "path"));
  step.arguments = {TRY(allowed_program(options.handlers_directory, place, step.handler)), user};
  for (std::string& argument : TRY(texts_at(input, "args"))) step.arguments.push_back(std::move(argument));
  return {};
}

Result<void> add_command(CommandStep& step, const std::string& user, const Json& input, const JobOptions& options) {
  step.arguments = words_of(TRY(text_at(input, "command")));
  const std::string& program = step.arguments.front();
  if (step.arguments.size() > kCommandArgumentsMax) return Error{ErrorKind::OutOfRange, "more than 64 words in \"command\""};
  if (std::find(options.commands.begin(), options.commands.end(), program) == options.commands.end()) {
    return Error{ErrorKind::Denied, "\"" + program + "\" may not be run here: \"commands\" in [jobs] names what may"};
  }
  if (!user.empty() && !is_own_user(user)) step.arguments.insert(step.arguments.begin(), {"sudo", "-u", user, "-n"});
  return {};
}

Result<CommandStep> read_action(const Json& holder, const JobOptions& options) {
  const auto action = holder.at("action");
  if (!action || !action->is_object()) return malformed("a step without \"action\"");
  CommandStep step;
  step.name = TRY(text_at(*action, "name"));
  const std::string type = TRY(text_at(*action, "type"));
  const std::string user = TRY(text_at(*action, "runAsUser"));
  const auto input = action->at("input");
  if (!input) return malformed("an action without \"input\"");
  // It is an argument of sudo.
  if (!user.empty() && user[0] == '-') return malformed("\"" + user + "\" is no user");
  if (type == "runHandler") {
    TRY(add_handler(step, user, *input, "handler", options));
  } else if (type == "runCommand") {
    TRY(add_command(step, user, *input, options));
  } else {
    return malformed("an action of type \"" + type + "\": runHandler and runCommand are known");
  }
  step.error_lines_max = TRY(lines_at(*action));
  step.failure_is_ignored = flag_at(*action, "ignoreStepFailure");
  return step;
}

/// What a condition may ask for; several values: any of them.
std::vector<std::string> device_values(std::string_view key, const JobOptions& options) {
  utsname system{};
  ::uname(&system);
  if (key == "deviceName" || key == "thingName") return {options.device};
  if (key == "architecture") return {static_cast<const char*>(system.machine)};
  if (key != "operatingSystem") return {};
  std::vector<std::string> names{static_cast<const char*>(system.sysname)};
  const std::string release = read_file("/etc/os-release", 64U << 10U).value_or("");
  const std::size_t at = ("\n" + release).find("\nID=");
  if (at != std::string::npos) {
    std::string name = release.substr(at + 3, release.find('\n', at) - at - 3);
    std::erase(name, '"');
    names.push_back(name);
  }
  return names;
}

Result<void> check_conditions(const Json& document, const JobOptions& options) {
  const auto conditions = document.at("conditions");
  if (!conditions) return {};
  if (!conditions->is_array()) return malformed("\"conditions\" is no list");
  for (const Json& condition : conditions->elements()) {
    const std::string key = TRY(text_at(condition, "key"));
    const std::string type = TRY(text_at(condition, "type"));
    const auto wanted = TRY(texts_at(condition, "value"));
    const auto values = device_values(key, options);
    const bool holds = std::any_of(values.begin(), values.end(), [&wanted](const std::string& value) {
      return std::find(wanted.begin(), wanted.end(), value) != wanted.end();
    });
    if (!type.empty() && type != "stringEqual") return malformed("a condition of type \"" + type + "\": stringEqual is known");
    if (!holds) return Error{ErrorKind::Denied, "its condition on \"" + key + "\" does not hold here"};
  }
  return {};
}

}  // namespace

Result<CommandPlan> command_plan(const Json& document, const JobOptions& options) {
  CommandPlan plan;
  plan.output_is_told = flag_at(document, "includeStdOut");
  TRY(check_conditions(document, options));
  const auto steps = document.at("steps");
  if (!steps) {
    // The flat form.
    CommandStep step;
    step.name = TRY(text_at(document, "operation"));
    if (step.name.empty()) return malformed("the document has neither \"operation\" nor \"steps\"");
    TRY(add_handler(step, {}, document, "operation", options).with_context("no operation or handler \"" + step.name + "\""));
    step.error_lines_max = TRY(lines_at(document));
    plan.steps.push_back(std::move(step));
    return plan;
  }
  const std::string version = TRY(text_at(document, "version"));
  if (version != "1.0") return malformed("documents of version \"" + version + "\" are not known, \"1.0\" is");
  for (const Json& step : steps->elements()) {
    plan.steps.push_back(TRY(read_action(step, options)));
    if (plan.steps.size() > kCommandStepsMax) return Error{ErrorKind::OutOfRange, "more than 32 steps"};
  }
  if (plan.steps.empty()) return malformed("no step");
  if (const auto last = document.at("finalStep")) plan.steps.push_back(TRY(read_action(*last, options)));
  return plan;
}

}  // namespace fieldpost
