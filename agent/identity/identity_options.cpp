// SPDX-License-Identifier: Apache-2.0
#include "agent/identity/identity_options.hpp"

#include <algorithm>

#include "agent/link/link_url.hpp"

namespace fieldpost {

Result<TemplateParameters> template_parameters(std::string_view list) {
  TemplateParameters parameters;
  while (!list.empty()) {
    const std::string_view one = list.substr(0, list.find(','));
    const std::size_t equals = one.find('=');
    if (equals == std::string_view::npos || equals == 0) {
      return Error{ErrorKind::Malformed, "\"" + std::string{one} + "\" is not NAME=VALUE"};
    }
    parameters.emplace_back(one.substr(0, equals), one.substr(equals + 1));
    list.remove_prefix(std::min(one.size() + 1, list.size()));
  }
  return parameters;
}

Result<void> check_est_url(std::string_view url) {
  TRY(parse_http_url(url, false));
  return {};
}

}  // namespace fieldpost
