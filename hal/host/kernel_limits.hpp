// SPDX-License-Identifier: Apache-2.0
// What the kernel hands out and may run out of: open files and random bits.
#pragma once

#include <memory>

#include "hal/source.hpp"

namespace fieldpost {

/// Opens node_filefd_allocated, node_filefd_maximum, node_entropy_available_bits and
/// node_entropy_pool_size_bits.
/// Errors: NotPresent   none of the files is there
Result<std::unique_ptr<Source>> open_kernel_limits(const SourceContext& context);

}  // namespace fieldpost
