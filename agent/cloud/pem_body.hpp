// SPDX-License-Identifier: Apache-2.0
// PEM and the one line of base64 within it, which is how EST and Azure want a request and give a certificate.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace fieldpost {

/// What stands between the lines of PEM, in one line; empty if there is nothing of the kind.
inline std::string pem_body(std::string_view pem) {
  const std::size_t begin = pem.find('\n');
  const std::size_t end = pem.find("-----END");
  std::string body;
  if (begin == std::string_view::npos || end == std::string_view::npos || end < begin) return body;
  for (const char c : pem.substr(begin, end - begin)) {
    if (c > ' ') body += c;
  }
  return body;
}

inline std::string certificate_pem(std::string_view body) {
  constexpr std::size_t kLine = 64;
  std::string pem = "-----BEGIN CERTIFICATE-----\n";
  for (; !body.empty(); body.remove_prefix(std::min(kLine, body.size()))) (pem += body.substr(0, kLine)) += '\n';
  return pem + "-----END CERTIFICATE-----\n";
}

}  // namespace fieldpost
