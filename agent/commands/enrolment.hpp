// SPDX-License-Identifier: Apache-2.0
// The conversations in which somebody else signs this device's request: AWS IoT's fleet provisioning by claim, Azure's
// provisioning service, an EST server. Each runs a loop of its own until it has an end.
#pragma once

#include <string>

#include "agent/cloud/azure_dps.hpp"
#include "agent/cloud/aws_claim.hpp"
#include "agent/cloud/est_authority.hpp"
#include "agent/link/http_fetch.hpp"
#include "agent/link/link.hpp"
#include "platform/clock.hpp"

namespace fieldpost {

struct Claimed {
  std::string chain;
  std::string thing_name;
};

/// `options`: of the link, with the claim certificate.
/// Errors: as AwsClaim; Denied (no connection with that certificate)
Result<Claimed> enrol_by_claim(const std::string& request, std::string provisioning_template, TemplateParameters parameters,
                               LinkOptions options, const SystemClock& clock);

/// `options`: of AzureDps::link_options(), with the certificate that attests. `request`: empty where none is to be signed.
/// Errors: as AzureDps; Denied (no connection)
Result<AzureDps::Registered> enrol_by_dps(const std::string& request, const std::string& registration_id, LinkOptions options,
                                          const SystemClock& clock);

/// How long a CA that wants time is waited for; then a person may ask again.
inline constexpr nanoseconds kEstTimeMax = std::chrono::minutes{10};

/// Errors: as EstAuthority; Timeout (the CA has not decided)
Result<std::string> enrol_by_est(const std::string& request, EstOptions est, HttpOptions options, const SystemClock& clock);

}  // namespace fieldpost
