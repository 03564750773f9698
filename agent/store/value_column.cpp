// SPDX-License-Identifier: Apache-2.0
// One head byte a run: bits 0-2 the method, bits 3-6 the decimal exponent, bit 7 "integers and doubles
// mixed" (then a bit a value follows, 1 = double). agent/store/README.md has the bytes.
#include "agent/store/value_column.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <optional>

#include "agent/store/integer_column.hpp"

namespace fieldpost {
namespace {

enum Method : std::uint8_t {
  kIntegerDelta = 0,
  kIntegerDeltaOfDelta = 1,
  kDecimalDelta = 2,
  kDecimalDeltaOfDelta = 3,
  kXor = 4,
  kRaw = 5,
};

constexpr std::uint8_t kMixed = 0x80;
constexpr unsigned kExponentShift = 3;
constexpr std::array<double, 13> kPowersOfTen{1,   1e1, 1e2, 1e3, 1e4,  1e5, 1e6,
                                              1e7, 1e8, 1e9, 1e10, 1e11, 1e12};
constexpr double kIntegersExactBelow = 9007199254740992.0;  // 2^53

std::uint64_t bits_of(const Value& value) {
  return value.is_integer() ? static_cast<std::uint64_t>(value.integer())
                            : std::bit_cast<std::uint64_t>(value.real());
}

/// The integer that gives back exactly `real` when divided by 10^exponent, if there is one. A correctly
/// rounded division of two exact integers depends on their ratio alone, so whoever decodes gets the
/// same bits on any machine.
std::optional<std::int64_t> scaled(double real, std::size_t exponent) {
  const double product = real * kPowersOfTen[exponent];
  if (!(std::fabs(product) < kIntegersExactBelow)) return std::nullopt;  // NaN fails, too
  const auto integer = static_cast<std::int64_t>(product + (product < 0 ? -0.5 : 0.5));
  const auto back = static_cast<double>(integer) / kPowersOfTen[exponent];
  if (std::bit_cast<std::uint64_t>(back) != std::bit_cast<std::uint64_t>(real)) return std::nullopt;
  return integer;
}

/// The smallest exponent at which all `values` are scaled integers; they are put into `integers`.
std::optional<std::size_t> scale_all(std::span<const Value> values, std::vector<std::int64_t>& integers) {
  std::size_t exponent = 0;
  for (const Value& value : values) {
    while (!scaled(value.real(), exponent)) {
      if (++exponent == kPowersOfTen.size()) return std::nullopt;
    }
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto integer = scaled(values[i].real(), exponent);
    if (!integer) return std::nullopt;  // a large one that fitted at a smaller exponent only
    integers[i] = *integer;
  }
  return exponent;
}

/// A byte a value: 0 and a count of further zeros for "as before"; else its leading zero bytes in the
/// upper half, its length in the lower, and the bytes between the zeros.
void write_xor(ByteWriter& out, std::span<const Value> values) {
  std::uint64_t previous = 0;
  for (std::size_t i = 0; i < values.size();) {
    const std::uint64_t bits = bits_of(values[i]);
    const std::uint64_t change = bits ^ previous;
    previous = bits;
    if (change == 0) {
      std::size_t same = 1;
      while (i + same < values.size() && bits_of(values[i + same]) == bits) ++same;
      out.u8(0);
      out.varint(same - 1);
      i += same;
      continue;
    }
    const auto leading = static_cast<unsigned>(std::countl_zero(change)) / 8;
    const auto trailing = static_cast<unsigned>(std::countr_zero(change)) / 8;
    const unsigned length = 8 - leading - trailing;
    out.u8(static_cast<std::uint8_t>((leading << 4U) | length));
    const std::uint64_t middle = change >> (8 * trailing);
    for (unsigned byte = 0; byte < length; ++byte) out.u8(static_cast<std::uint8_t>(middle >> (8 * byte)));
    ++i;
  }
}

void read_xor(ByteReader& in, std::span<std::int64_t> bits) {
  std::uint64_t previous = 0;
  for (std::size_t i = 0; i < bits.size();) {
    const std::uint8_t head = in.u8();
    std::size_t same = 1;
    if (head == 0) {
      same += in.count(bits.size() - i - 1);
    } else {
      const unsigned leading = head >> 4U;
      const unsigned length = head & 0x0FU;
      if (length == 0 || leading + length > 8) return in.fail();
      std::uint64_t middle = 0;
      for (unsigned byte = 0; byte < length; ++byte) middle |= std::uint64_t{in.u8()} << (8 * byte);
      previous ^= middle << (8 * (8 - leading - length));
    }
    if (in.failed()) return;
    for (; same > 0; --same) bits[i++] = static_cast<std::int64_t>(previous);
  }
}

void write_raw(ByteWriter& out, std::span<const Value> values) {
  for (const Value& value : values) out.u64(bits_of(value));
}

Value from_bits(std::int64_t bits, bool is_real) {
  return is_real ? Value{std::bit_cast<double>(bits)} : Value{bits};
}

}  // namespace

void ValueColumnWriter::start_with(std::uint8_t head) {
  best_.clear();
  best_head_ = head;
}

void ValueColumnWriter::keep_shorter(std::uint8_t head) {
  if (other_.size() >= best_.size()) return;
  std::swap(best_, other_);
  best_head_ = head;
}

void ValueColumnWriter::write(ByteWriter& out, std::span<const Value> values) {
  const bool first_is_integer = values.front().is_integer();
  const bool uniform = std::all_of(values.begin(), values.end(), [first_is_integer](const Value& value) {
    return value.is_integer() == first_is_integer;
  });
  integers_.resize(values.size());
  if (uniform) {
    write_integers_or_doubles(out, values);
  } else {
    write_mixed(out, values);
  }
}

void ValueColumnWriter::write_integers_or_doubles(ByteWriter& out, std::span<const Value> values) {
  std::uint8_t delta = kIntegerDelta;
  std::uint8_t delta_of_delta = kIntegerDeltaOfDelta;
  bool as_integers = true;
  if (values.front().is_integer()) {
    for (std::size_t i = 0; i < values.size(); ++i) integers_[i] = values[i].integer();
  } else if (const auto exponent = scale_all(values, integers_)) {
    const auto shifted = static_cast<std::uint8_t>(*exponent << kExponentShift);
    delta = kDecimalDelta | shifted;
    delta_of_delta = kDecimalDeltaOfDelta | shifted;
  } else {
    as_integers = false;
  }

  if (as_integers) {
    start_with(delta);
    write_integers(best_, integers_, Differences::delta);
    if (values.size() > 2) {
      other_.clear();
      write_integers(other_, integers_, Differences::delta_of_delta);
      keep_shorter(delta_of_delta);
    }
  } else {
    start_with(kXor);
    write_xor(best_, values);
  }
  if (best_.size() > 8 * values.size()) {
    start_with(kRaw);
    write_raw(best_, values);
    // Raw bits do not say what they are; the mixed form does.
    if (values.front().is_integer()) {
      out.u8(kRaw | kMixed);
      for (std::size_t i = 0; i < (values.size() + 7) / 8; ++i) out.u8(0);
      out.bytes(best_.view());
      return;
    }
  }
  out.u8(best_head_);
  out.bytes(best_.view());
}

void ValueColumnWriter::write_mixed(ByteWriter& out, std::span<const Value> values) {
  bool whole = true;
  for (std::size_t i = 0; i < values.size() && whole; ++i) {
    if (values[i].is_integer()) {
      integers_[i] = values[i].integer();
    } else if (const auto integer = scaled(values[i].real(), 0)) {
      integers_[i] = *integer;
    } else {
      whole = false;
    }
  }
  out.u8(static_cast<std::uint8_t>((whole ? kDecimalDelta : kRaw) | kMixed));
  for (std::size_t i = 0; i < values.size(); i += 8) {
    unsigned types = 0;
    for (std::size_t bit = 0; bit < 8 && i + bit < values.size(); ++bit) {
      if (!values[i + bit].is_integer()) types |= 1U << bit;
    }
    out.u8(static_cast<std::uint8_t>(types));
  }
  if (whole) {
    write_integers(out, integers_, Differences::delta);
  } else {
    write_raw(out, values);
  }
}

void read_values(ByteReader& in, std::span<Value> values, std::vector<std::int64_t>& scratch) {
  const std::uint8_t head = in.u8();
  const bool mixed = (head & kMixed) != 0;
  const unsigned method = head & 0x07U;
  const std::size_t exponent = (head >> kExponentShift) & 0x0FU;
  const auto types = mixed ? in.bytes((values.size() + 7) / 8) : std::span<const std::byte>{};
  if (in.failed() || exponent >= kPowersOfTen.size()) return in.fail();
  if (mixed && method != kRaw && (method != kDecimalDelta || exponent != 0)) return in.fail();
  scratch.resize(values.size());

  switch (method) {
    case kIntegerDelta:
    case kDecimalDelta:
      read_integers(in, scratch, Differences::delta);
      break;
    case kIntegerDeltaOfDelta:
    case kDecimalDeltaOfDelta:
      read_integers(in, scratch, Differences::delta_of_delta);
      break;
    case kXor:
      read_xor(in, scratch);
      break;
    case kRaw:
      for (std::int64_t& bits : scratch) bits = static_cast<std::int64_t>(in.u64());
      break;
    default:
      in.fail();
  }
  if (in.failed()) return;

  for (std::size_t i = 0; i < values.size(); ++i) {
    const bool is_real = mixed ? ((std::to_integer<unsigned>(types[i / 8]) >> (i % 8)) & 1U) != 0
                               : method >= kDecimalDelta;
    const bool is_scaled = method == kDecimalDelta || method == kDecimalDeltaOfDelta;
    if (is_real && is_scaled) {
      values[i] = static_cast<double>(scratch[i]) / kPowersOfTen[exponent];
    } else {
      values[i] = from_bits(scratch[i], is_real);
    }
  }
}

}  // namespace fieldpost
