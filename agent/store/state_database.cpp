// SPDX-License-Identifier: Apache-2.0
// Two tables, and a mirror of their content with a CRC.
#include "agent/store/state_database.hpp"

#include <array>
#include <bit>

#include "agent/store/byte_reader.hpp"
#include "agent/store/byte_writer.hpp"
#include "agent/store/schema.hpp"
#include "agent/store/set_aside.hpp"
#include "platform/crc32c.hpp"
#include "platform/durable_file.hpp"

namespace fieldpost {
namespace {

constexpr std::uint32_t kMirrorMagic = 0x4D535046;  // "FPSM"
constexpr std::uint8_t kMirrorVersion = 2;  // a later one only adds fields at the end
constexpr std::size_t kMirrorBytesMax = 256U << 10U;
constexpr std::size_t kBootIdBytesMax = 64;
constexpr std::int64_t kPagesMax = 512;  // 2 MiB; the tables hold a tenth of it

constexpr std::array<std::string_view, 2> kTables{"boot_clock", "property"};
constexpr const char* kSchema =
    "CREATE TABLE property(name TEXT PRIMARY KEY, value) WITHOUT ROWID;"
    "INSERT INTO property(name, value) VALUES('schema', 1);"
    "CREATE TABLE boot_clock(place INTEGER PRIMARY KEY, boot TEXT NOT NULL, offset_ns INTEGER NOT NULL,"
    " error_ns INTEGER NOT NULL, source INTEGER NOT NULL, seen_ns INTEGER NOT NULL, sure_from_ns INTEGER NOT NULL,"
    " sure_until_ns INTEGER NOT NULL);";

BootRow boot_row(std::string_view boot, std::int64_t offset, std::int64_t error, std::int64_t source, std::int64_t seen) {
  return {.boot = BootId{boot},
          .offset = nanoseconds{offset},
          .error_bound = nanoseconds{error},
          .source = source == 1 ? BootRow::Source::kernel : BootRow::Source::none,
          .seen = BootTime{nanoseconds{seen}},
          .sure_from = BootTime{nanoseconds{seen}},
          .sure_until = BootTime{nanoseconds{seen}}};
}

void set_sure(BootRow& row, std::int64_t from, std::int64_t until) {
  row.sure_from = BootTime{nanoseconds{from}};
  row.sure_until = BootTime{nanoseconds{until}};
}

Sqlite::Options options_with(const std::string& vfs) {
  Sqlite::Options options;
  options.pages_max = kPagesMax;
  options.wal_bytes_max = 256 << 10;
  options.cache_bytes = 64 << 10;
  options.vfs = vfs;
  return options;
}

}  // namespace

std::string to_mirror(const StoredState& state) {
  ByteWriter content;
  content.u8(kMirrorVersion);
  content.u64(state.epoch);
  content.varint(state.boots.size());
  for (const BootRow& row : state.boots) {
    content.text(row.boot);
    content.zigzag(row.offset.count());
    content.zigzag(row.error_bound.count());
    content.u8(static_cast<std::uint8_t>(row.source));
    content.zigzag(row.seen.time_since_epoch().count());
  }
  for (const BootRow& row : state.boots) {  // version 2
    content.zigzag(row.sure_from.time_since_epoch().count());
    content.zigzag(row.sure_until.time_since_epoch().count());
  }
  ByteWriter out;
  out.u32(kMirrorMagic);
  out.u32(crc32c(content.view()));
  out.bytes(content.view());
  std::string text;
  for (const std::byte byte : out.view()) text += static_cast<char>(byte);
  return text;
}

std::optional<StoredState> from_mirror(std::string_view content) {
  const auto bytes = std::as_bytes(std::span{content});
  ByteReader in{bytes};
  const std::uint32_t magic = in.u32();
  const std::uint32_t crc = in.u32();
  if (in.failed() || magic != kMirrorMagic || crc != crc32c(bytes.subspan(8))) return std::nullopt;
  StoredState state;
  const std::uint8_t version = in.u8();
  state.epoch = in.u64();
  const std::size_t boots = in.count(BootTable::kBootsMax);
  for (std::size_t i = 0; i < boots && !in.failed(); ++i) {
    const auto boot = in.text(kBootIdBytesMax);
    const std::int64_t offset = in.zigzag();
    const std::int64_t error = in.zigzag();
    const std::uint8_t source = in.u8();
    state.boots.push_back(boot_row(boot, offset, error, source, in.zigzag()));
  }
  for (std::size_t i = 0; version >= 2 && i < state.boots.size() && !in.failed(); ++i) {
    const std::int64_t from = in.zigzag();
    set_sure(state.boots[i], from, in.zigzag());
  }
  if (in.failed() || version == 0 || (version == kMirrorVersion && in.remaining() != 0)) return std::nullopt;
  return state;
}

Result<StateDatabase> StateDatabase::open_file(const std::string& directory, const std::string& vfs) {
  Sqlite database = TRY(Sqlite::open(directory + "/state.db", options_with(vfs)));
  TRY(make_tables(database, kSchema, kTables));
  // Half a megabyte at most: looking at all of it costs a few milliseconds at start.
  TRY(database.quick_check());
  StateDatabase state{std::move(database), directory + "/state.mirror"};
  state.state_ = TRY(state.load());
  return state;
}

Result<StateDatabase::Opened> StateDatabase::open(const std::string& directory, const std::string& vfs, UtcTime now) {
  std::optional<StoredState> mirror;
  if (const auto content = read_file(directory + "/state.mirror", kMirrorBytesMax)) mirror = from_mirror(*content);

  auto first = open_file(directory, vfs);
  // One call's error may look like damage: SQLite then opens for reading only, or its check finds a page that was not read.
  if (!first && is_damage(first.error(), directory + "/state.db")) first = open_file(directory, vfs);
  std::string damaged;
  if (!first) {
    if (!is_damage(first.error(), directory + "/state.db")) return first.error();
    damaged = TRY(set_aside(directory + "/state.db", now));
  }
  StateDatabase database = first ? std::move(*first) : TRY(open_file(directory, vfs));
  // SQLite does not notice a changed byte inside a value. The two say the same, or what is checked by
  // a CRC is right.
  if (mirror && *mirror != database.state_) TRY(database.write(*mirror));
  return Opened{std::move(database), std::move(damaged)};
}

Result<StoredState> StateDatabase::load() {
  StoredState state;
  auto epoch = TRY(database_.prepare("SELECT value FROM property WHERE name = 'epoch'"));
  if (TRY(epoch.step())) state.epoch = std::bit_cast<Epoch>(epoch.integer(0));
  auto boots = TRY(database_.prepare("SELECT boot, offset_ns, error_ns, source, seen_ns, sure_from_ns, sure_until_ns FROM boot_clock ORDER BY place"));
  while (TRY(boots.step())) {
    if (state.boots.size() == BootTable::kBootsMax) break;
    state.boots.push_back(boot_row(boots.text(0), boots.integer(1), boots.integer(2), boots.integer(3), boots.integer(4)));
    set_sure(state.boots.back(), boots.integer(5), boots.integer(6));
  }
  return state;
}

Result<void> StateDatabase::store(const StoredState& state) {
  if (state == state_) return {};
  TRY(write(state));
  TRY(replace_file_durably(mirror_path_, to_mirror(state)));
  return {};
}

Result<void> StateDatabase::write(const StoredState& state) {
  auto transaction = TRY(SqliteTransaction::begin(database_));
  auto epoch = TRY(database_.prepare("INSERT OR REPLACE INTO property(name, value) VALUES('epoch', ?)"));
  epoch.bind(1, std::bit_cast<std::int64_t>(state.epoch));
  TRY(epoch.run());
  TRY(database_.execute("DELETE FROM boot_clock"));
  auto boot = TRY(database_.prepare(
      "INSERT INTO boot_clock(place, boot, offset_ns, error_ns, source, seen_ns, sure_from_ns, sure_until_ns)"
      " VALUES(?, ?, ?, ?, ?, ?, ?, ?)"));
  std::int64_t place = 0;
  for (const BootRow& row : state.boots) {
    boot.bind(1, ++place);
    boot.bind(2, std::string_view{row.boot});
    boot.bind(3, std::int64_t{row.offset.count()});
    boot.bind(4, std::int64_t{row.error_bound.count()});
    boot.bind(5, std::int64_t{static_cast<std::uint8_t>(row.source)});
    boot.bind(6, std::int64_t{row.seen.time_since_epoch().count()});
    boot.bind(7, std::int64_t{row.sure_from.time_since_epoch().count()});
    boot.bind(8, std::int64_t{row.sure_until.time_since_epoch().count()});
    TRY(boot.run());
  }
  TRY(transaction.commit());
  state_ = state;
  return {};
}

}  // namespace fieldpost
