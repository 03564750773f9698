// SPDX-License-Identifier: Apache-2.0
// A difference is a zigzag varint; 0 is followed by the count of further zeros.
#include "agent/store/integer_column.hpp"

namespace fieldpost {

void write_integers(ByteWriter& out, std::span<const std::int64_t> values, Differences differences,
                    std::int64_t before) {
  auto previous = static_cast<std::uint64_t>(before);
  std::uint64_t previous_step = 0;
  std::uint64_t zeros = 0;
  const auto end_zeros = [&out, &zeros] {
    if (zeros == 0) return;
    out.u8(0);
    out.varint(zeros - 1);
    zeros = 0;
  };
  for (const std::int64_t value : values) {
    const auto bits = static_cast<std::uint64_t>(value);
    const std::uint64_t step = bits - previous;
    std::uint64_t token = step;
    if (differences == Differences::delta_of_delta) token = step - previous_step;
    previous = bits;
    previous_step = step;
    if (token == 0) {
      ++zeros;
      continue;
    }
    end_zeros();
    out.zigzag(static_cast<std::int64_t>(token));
  }
  end_zeros();
}

void read_integers(ByteReader& in, std::span<std::int64_t> values, Differences differences,
                   std::int64_t before) {
  auto previous = static_cast<std::uint64_t>(before);
  std::uint64_t step = 0;
  std::uint64_t zeros = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::uint64_t token = 0;
    if (zeros > 0) {
      --zeros;
    } else {
      token = static_cast<std::uint64_t>(in.zigzag());
      if (token == 0) zeros = in.count(values.size() - i - 1);
      if (in.failed()) return;
    }
    step = differences == Differences::delta_of_delta ? step + token : token;
    previous += step;
    values[i] = static_cast<std::int64_t>(previous);
  }
  if (zeros != 0) in.fail();
}

}  // namespace fieldpost
