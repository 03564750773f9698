// SPDX-License-Identifier: Apache-2.0
#include "agent/cloud/azure_assignment.hpp"

#include <algorithm>

#include "agent/link/link_url.hpp"
#include "platform/durable_file.hpp"
#include "platform/json.hpp"

namespace fieldpost {
namespace {

std::string file_in(const std::string& directory) { return directory + "/azure.json"; }

/// It becomes part of a URL and of a user name.
bool is_name(const std::string& text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f' && c != '/' && c != '?' && c != '#'; });
}

}  // namespace

Result<std::optional<AzureAssignment>> read_azure_assignment(const std::string& directory) {
  constexpr std::size_t kBytesMax = 4096;
  const auto text = read_file(file_in(directory), kBytesMax);
  if (!text && text.error().kind() == ErrorKind::NotPresent) return std::optional<AzureAssignment>{};
  if (!text) return text.error();
  const auto json = TRY(Json::parse(*text).with_context(file_in(directory)));
  const auto member = [&json](std::string_view name) {
    const auto found = json.at(name);
    return found ? found->string().value_or("") : "";
  };
  AzureAssignment assignment{member("hub"), member("device_id"), member("scope_id")};
  if (!is_name(assignment.hub) || !is_name(assignment.device_id)) {
    return Error{ErrorKind::Malformed, file_in(directory) + " names no hub or no device; `fieldpost provision --dps` makes it anew"};
  }
  return std::optional{std::move(assignment)};
}

Result<void> write_azure_assignment(const std::string& directory, const AzureAssignment& assignment) {
  JsonWriter json;
  json.begin_object().member("hub", assignment.hub).member("device_id", assignment.device_id);
  json.member("scope_id", assignment.scope_id).end_object();
  return replace_file_durably(file_in(directory), std::move(json).take(), 0644);
}

Result<void> use_azure_assignment(const std::string& directory, CloudOptions& cloud, LinkOptions& link) {
  if (cloud.profile != CloudOptions::Profile::azure) return {};
  const auto assignment = TRY(read_azure_assignment(directory));
  const auto broker = parse_broker_url(link.url, true);
  if (!assignment || !broker) return {};
  const bool gateway = !cloud.hub.empty() && cloud.hub != broker->at.host;
  if (!gateway) link.url = "mqtts://" + HostPort{assignment->hub, broker->at.port}.text();
  cloud.hub = assignment->hub;
  link.client_id = assignment->device_id;
  static_cast<void>(fit(cloud, link));
  return {};
}

}  // namespace fieldpost
