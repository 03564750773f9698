// SPDX-License-Identifier: Apache-2.0
// Read-only, a segment at a time: an outbox of 256 MiB needs no more memory than one of its rows.
#include "agent/store/outbox_reader.hpp"

#include <optional>

#include "agent/store/state_database.hpp"
#include "platform/durable_file.hpp"

namespace fieldpost {
namespace {

constexpr std::size_t kMirrorBytesMax = 1U << 20U;

}  // namespace

Result<OutboxReader> OutboxReader::open(const std::string& directory) {
  Sqlite::Options options;
  options.read_only = true;
  options.create = false;
  std::optional<OutboxSnapshot> snapshot;
  auto opened = Sqlite::open(directory + "/outbox.db", options);
  if (!opened) {
    if (opened.error().kind() != ErrorKind::Unavailable) return opened.error();
    snapshot = TRY(OutboxSnapshot::take(directory));
    options.read_only = false;  // the copy is ours, and its log must be read back first
    opened = Sqlite::open(snapshot->path(), options);
    if (!opened) return opened.error();
  }
  OutboxReader reader{std::move(*opened), std::move(snapshot)};
  // The mirror and not state.db: it needs no lock. Without it times stay in boot time.
  if (const auto mirror = read_file(directory + "/state.mirror", kMirrorBytesMax)) {
    if (const auto state = from_mirror(*mirror)) reader.boots_.load(state->boots);
  }
  return reader;
}

Result<std::uint64_t> OutboxReader::read(Lane lane, const Visit& visit) {
  std::uint64_t damaged = 0;
  auto statement = TRY(database_.prepare(
      "SELECT body.bytes FROM segment LEFT JOIN body ON body.row = segment.row"
      " WHERE segment.lane = ? ORDER BY segment.row"));
  statement.bind(1, std::int64_t{static_cast<std::uint8_t>(lane)});
  while (TRY(statement.step())) {
    const auto bytes = statement.blob(0);
    const auto header = decode_segment_header(bytes);
    const auto content = header ? decode_segment_content(bytes) : Result<SegmentContent>{header.error()};
    if (!content) {
      ++damaged;
      continue;
    }
    if (!visit(*header, *content)) break;
  }
  return damaged;
}

}  // namespace fieldpost
