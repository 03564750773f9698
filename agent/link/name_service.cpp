// SPDX-License-Identifier: Apache-2.0
#include "agent/link/name_service.hpp"

#include <features.h>

#ifdef __GLIBC__
#include <nss.h>
#endif

namespace fieldpost {

void configure_name_service() noexcept {
#ifdef __GLIBC__
  // users and groups have the same hazard as hosts
  __nss_configure_lookup("hosts", "files dns");
  __nss_configure_lookup("passwd", "files");
  __nss_configure_lookup("group", "files");
#endif
}

}  // namespace fieldpost
