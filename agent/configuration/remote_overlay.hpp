// SPDX-License-Identifier: Apache-2.0
// A configuration from afar as an overlay of the files: JSON, sections as objects, and only what the allow-list lets through.
// What could cut the device off for good (its name, broker, identity, cloud) or name a file or a socket stays local.
#pragma once

#include <string>
#include <string_view>

#include "platform/result.hpp"

namespace fieldpost {

/// The document as TOML, to be laid over the files as another one: the same checks then see it.
///
/// Errors: Malformed   no JSON object, or a null in it
///         Denied      a section or key that may not be changed from afar
///         OutOfRange  too large
Result<std::string> remote_overlay(std::string_view json);

inline constexpr std::size_t kRemoteOverlayBytesMax = 64U << 10U;

}  // namespace fieldpost
