// SPDX-License-Identifier: Apache-2.0
// Reading sysfs attributes that hold one number each.
#include "hal/attribute.hpp"

#include <optional>

#include "hal/text_scanner.hpp"

namespace fieldpost {

Result<std::int64_t> read_attribute(KeptFile& file) {
  auto text = file.read();
  if (!text && text.error().kind() == ErrorKind::Unavailable) text = file.read();
  if (!text) return text.error();
  const auto number = attribute_number(*text);
  if (!number) return Error{ErrorKind::Malformed, file.path() + ": a whole number expected"};
  return *number;
}

Result<std::size_t> read_attributes(std::vector<Attribute>& attributes, SampleSink& sink, BootTime now) {
  std::optional<Error> failed;
  std::size_t failures = 0;
  for (Attribute& attribute : attributes) {
    const auto number = read_attribute(attribute.file);
    if (!number) {
      failed = number.error();
      ++failures;
      continue;
    }
    const AttributeScale& scale = attribute.scale;
    const Value value = scale.is_one()
                            ? Value{*number}
                            : Value{static_cast<double>(*number) * scale.times / scale.over};
    sink.accept({attribute.series, value, now});
  }
  if (failures > 0 && failures == attributes.size()) return *failed;
  return failures;
}

}  // namespace fieldpost
