// SPDX-License-Identifier: Apache-2.0
// The "certs-only" CMS in which EST hands out certificates: a bag without an order and without a signature.
// Source: RFC 7030 sections 4.1.3 and 4.2.3; RFC 5652
#pragma once

#include <string>

#include "platform/result.hpp"

namespace fieldpost {

/// The device's chain as PEM: the one certificate of `issued` that is no authority's, then its issuers as far as
/// either bag has them, without the root. Both are base64 of DER.
/// Errors: Malformed (no such bag; no certificate of a device, or more than one)
Result<std::string> chain_from_bags(const std::string& issued, const std::string& authorities);

}  // namespace fieldpost
