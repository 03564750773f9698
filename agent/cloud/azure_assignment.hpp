// SPDX-License-Identifier: Apache-2.0
// Which hub Azure's provisioning service gave this device, kept beside its identity: STATE/identity/azure.json. It is not
// part of a generation, for a renewed certificate belongs to the same hub.
#pragma once

#include <optional>
#include <string>

#include "agent/cloud/cloud_profile.hpp"

namespace fieldpost {

struct AzureAssignment {
  std::string hub;  ///< "hub-7.azure-devices.net"
  std::string device_id;
  std::string scope_id;  ///< by which it was asked for
};

/// `directory`: of the identity. Nothing if there is none.
/// Errors: Malformed, Denied, Io
Result<std::optional<AzureAssignment>> read_azure_assignment(const std::string& directory);
/// Errors: as replace_file_durably
Result<void> write_azure_assignment(const std::string& directory, const AzureAssignment& assignment);

/// If there is one, the link leads to its hub, in the place of the host that [broker] names; where [cloud] names a hub,
/// [broker]'s host is a gateway and stays. Other profiles are left alone.
/// Errors: as read_azure_assignment
Result<void> use_azure_assignment(const std::string& directory, CloudOptions& cloud, LinkOptions& link);

}  // namespace fieldpost
