// SPDX-License-Identifier: Apache-2.0
// Each series begins with a record that has its name as base name, so that the others of it need none. Series without a
// unit come before those with one, for a base unit cannot be taken back.
#include "agent/sync/message_senml.hpp"

#include <bit>
#include <cmath>
#include <cstdint>
#include <string_view>

#include "platform/json.hpp"

namespace fieldpost {
namespace {

/// Fields of a record: the label in JSON, and the integer that stands for it in CBOR.
struct Field {
  std::string_view json;
  int cbor;
};
constexpr Field kBaseName{"bn", -2};
constexpr Field kBaseTime{"bt", -3};
constexpr Field kBaseUnit{"bu", -4};
constexpr Field kName{"n", 0};
constexpr Field kUnit{"u", 1};
constexpr Field kValue{"v", 2};
constexpr Field kText{"vs", 3};
constexpr Field kFlag{"vb", 4};
constexpr Field kTime{"t", 6};

// Major types of CBOR (RFC 8949), in the first three bits.
constexpr unsigned kUnsigned = 0U << 5U;
constexpr unsigned kNegative = 1U << 5U;
constexpr unsigned kTextString = 3U << 5U;
constexpr unsigned kArray = 4U << 5U;
constexpr unsigned kMap = 5U << 5U;
constexpr unsigned kFalse = 0xF4;
constexpr unsigned kFloat = 0xFA;
constexpr unsigned kDouble = 0xFB;

void put_big_endian(std::string& out, std::uint64_t number, int bytes) {
  while (bytes > 0) out += static_cast<char>(number >> static_cast<unsigned>(--bytes * 8));
}

/// A type with its length or number, in the shortest form.
void put_head(std::string& out, unsigned major, std::uint64_t number) {
  if (number < 24) {
    out += static_cast<char>(major | static_cast<unsigned>(number));
    return;
  }
  const unsigned size = number <= 0xFF ? 0 : number <= 0xFFFF ? 1 : number <= 0xFFFF'FFFF ? 2 : 3;
  out += static_cast<char>(major | (24U + size));
  put_big_endian(out, number, 1 << size);
}

void put_integer(std::string& out, std::int64_t number) {
  const auto bits = static_cast<std::uint64_t>(number);
  put_head(out, number < 0 ? kNegative : kUnsigned, number < 0 ? ~bits : bits);
}

/// As the shorter of the two that is exact. Half precision, which not every reader knows, is not used.
void put_real(std::string& out, double real) {
  const auto narrow = static_cast<float>(real);
  const bool is_exact = static_cast<double>(narrow) == real;
  out += static_cast<char>(is_exact ? kFloat : kDouble);
  is_exact ? put_big_endian(out, std::bit_cast<std::uint32_t>(narrow), 4) : put_big_endian(out, std::bit_cast<std::uint64_t>(real), 8);
}

class PackWriter final : public FlatRecordSink {
 public:
  PackWriter(SenmlForm form, std::size_t bytes_max) : form_{form}, bytes_max_{bytes_max} {}

  void begin(std::string_view device, const MessageTime& time) {
    device_ = folded_device(device) + "/";
    base_ms_ = time.known ? time.unix_ms : -time.age_ms;
    if (form_ == SenmlForm::json) json_.begin_array();
  }

  void accept(const FlatRecord& record) override {
    if (was_left_out_ && record.attribute == "quality") return;  // of the reading that was left out
    was_left_out_ = record.type == FlatRecord::Type::number && !record.number.is_integer() && !std::isfinite(record.number.real());
    if (was_left_out_) {
      ++left_out_;
      return;
    }
    if (bytes() > bytes_max_) return;
    write(record);
  }

  std::string take() && {
    if (left_out_ > 0) {
      FlatRecord told;
      told.series = "fieldpost";
      told.attribute = "left_out";
      told.unit = "count";
      told.number = left_out_;
      write(told);
    }
    if (form_ == SenmlForm::json) return std::move(json_.end_array()).take();
    std::string pack;
    put_head(pack, kArray, records_);
    return pack + cbor_;
  }

 private:
  std::size_t bytes() const { return json_.bytes() + cbor_.size(); }

  /// In CBOR the number of a map's pairs stands before them.
  void write(const FlatRecord& record) {
    const bool is_first = records_++ == 0;
    const bool is_new_series = is_first || record.series != series_;
    const bool has_unit = record.type == FlatRecord::Type::number && !record.unit.empty() && record.unit != unit_;
    const bool is_base_unit = has_unit && is_new_series && record.attribute.empty();
    if (is_new_series) series_ = record.series;
    if (form_ == SenmlForm::json) {
      json_.begin_object();
    } else {
      put_head(cbor_, kMap, 1U + (is_new_series ? 1U : 0U) + (is_first ? 1U : 0U) + (has_unit ? 1U : 0U) +
                                (record.attribute.empty() ? 0U : 1U) + (record.offset_ms != 0 ? 1U : 0U));
    }
    if (is_new_series) field(kBaseName, device_ + series_);
    if (is_first) field_seconds(kBaseTime, base_ms_);
    if (is_base_unit) unit_ = record.unit;
    if (has_unit) field(is_base_unit ? kBaseUnit : kUnit, record.unit);
    if (!record.attribute.empty()) field(kName, "/" + std::string{record.attribute});
    if (record.offset_ms != 0) field_seconds(kTime, record.offset_ms);
    switch (record.type) {
      case FlatRecord::Type::number:
        label(kValue);
        put(record.number);
        break;
      case FlatRecord::Type::boolean:
        label(kFlag);
        form_ == SenmlForm::json ? static_cast<void>(json_.value(record.flag))
                                 : static_cast<void>(cbor_ += static_cast<char>(kFalse + (record.flag ? 1U : 0U)));
        break;
      case FlatRecord::Type::text:
        field(kText, record.text);
        break;
    }
    if (form_ == SenmlForm::json) json_.end_object();
  }

  void label(const Field& field) {
    form_ == SenmlForm::json ? static_cast<void>(json_.key(field.json)) : put_integer(cbor_, field.cbor);
  }

  void field(const Field& name, std::string_view text) {
    label(name);
    if (form_ == SenmlForm::json) {
      json_.value(text);
      return;
    }
    put_head(cbor_, kTextString, text.size());  // UTF-8 already: names are folded, texts were written as JSON
    cbor_ += text;
  }

  void field_seconds(const Field& name, std::int64_t ms) {
    label(name);
    put(ms % 1'000 == 0 ? Value{ms / 1'000} : Value{static_cast<double>(ms) / 1e3});
  }

  void put(const Value& value) {
    if (form_ == SenmlForm::json) {
      value.is_integer() ? json_.value(value.integer()) : json_.value(value.real());
    } else {
      value.is_integer() ? put_integer(cbor_, value.integer()) : put_real(cbor_, value.real());
    }
  }

  SenmlForm form_;
  std::size_t bytes_max_;
  std::string device_;
  std::int64_t base_ms_ = 0;
  std::string series_;
  std::string unit_;
  std::uint64_t records_ = 0;
  std::uint64_t left_out_ = 0;
  bool was_left_out_ = false;
  JsonWriter json_;
  std::string cbor_;
};

}  // namespace

Result<std::string> to_senml(SenmlForm form, const SegmentHeader& header, const SegmentContent& content,
                             const MessageGround& ground, MessagePart part, std::size_t bytes_max) {
  PackWriter writer{form, bytes_max};
  writer.begin(ground.device, time_of_first_reading(header, ground));
  write_flat_records(header, content, ground, part, writer);
  std::string pack = std::move(writer).take();
  if (pack.size() <= bytes_max) return pack;
  return Error{ErrorKind::OutOfRange, "SenML pack of seq " + std::to_string(header.seq) + " is longer than " + std::to_string(bytes_max) + " bytes"};
}

}  // namespace fieldpost
