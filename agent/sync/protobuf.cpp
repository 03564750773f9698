// SPDX-License-Identifier: Apache-2.0
// See protobuf.hpp. Why not nanopb: README.md.
#include "agent/sync/protobuf.hpp"

namespace fieldpost::protobuf {

std::optional<std::uint64_t> Reader::varint() {
  std::uint64_t number = 0;
  for (unsigned shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(rest_.front());
    rest_.remove_prefix(1);
    number |= std::uint64_t{byte & 0x7FU} << shift;
    if (byte < 0x80) return number;
  }
  return std::nullopt;
}

bool Reader::next() {
  const auto key = varint();
  if (!key) return false;
  field_ = static_cast<unsigned>(*key >> 3U);
  wire_ = static_cast<unsigned>(*key & 7U);
  std::uint64_t length = wire_ == 1 ? 8 : 4;  // of the fixed ones
  if (wire_ == 0 || wire_ == 2) {
    const auto number = varint();
    if (!number) return false;
    number_ = *number;
    length = wire_ == 2 ? number_ : 0;
  } else if (wire_ != 1 && wire_ != 5) {
    return false;
  }
  if (length > rest_.size()) return false;
  bytes_ = rest_.substr(0, static_cast<std::size_t>(length));
  rest_.remove_prefix(bytes_.size());
  return true;
}

}  // namespace fieldpost::protobuf
