// SPDX-License-Identifier: Apache-2.0
#include "agent/store/damaged_file.hpp"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <map>
#include <random>
#include <set>

#include "tests/agent/store/outbox_fixture.hpp"

namespace fieldpost {
namespace {

using Name = std::pair<Epoch, std::uint64_t>;
using Bodies = std::map<Name, std::pair<std::int64_t, std::vector<std::byte>>>;

class DamagedFileTest : public OutboxTest {
 protected:
  /// Short ones, several in a page, and long ones with pages of their own; a third of them acknowledged.
  void fill() {
    for (int i = 0; i < 60; ++i) {
      insert(kLanes[static_cast<std::size_t>(i) % kLanes.size()], i % 7 == 0 ? 700 : 20 + static_cast<std::size_t>(i % 5) * 10);
      if (i % 10 != 9) continue;
      OutboxChange change;
      const auto lane = static_cast<Lane>(i / 10 % 4);
      for (const OutboxRow& row : rows(lane)) {
        if (row.row % 3 == 0) change.acknowledged.push_back({lane, row.row});
      }
      ASSERT_TRUE(apply(change));
    }
    for (const Lane lane : kLanes) {
      for (const OutboxRow& row : rows(lane)) waiting_[{row.header.epoch, row.header.seq}] = {row.row, row.bytes};
    }
  }

  /// A copy of the files as they are now, as of a process that was killed.
  void copy(std::string_view name) const {
    directory_.write(name, directory_.read("outbox.db"));
    directory_.write(std::string{name} + "-wal", directory_.read("outbox.db-wal"));
  }

  Bodies found_in(std::string_view name) const {
    Bodies found;
    auto file = DamagedFile::open(directory_.file(name));
    if (!file) return found;
    for (int steps = 0; !file->survey(4); ++steps) EXPECT_LT(steps, 100'000) << "the survey never ends";
    for (std::uint32_t page = 0; page <= file->pages() + 1; ++page) {
      for (const auto& cell : file->cells(page)) {
        auto bytes = file->body(page, cell);
        const auto header = bytes ? decode_segment_header(*bytes) : Error{ErrorKind::Malformed, ""};
        if (header) found[{header->epoch, header->seq}] = {cell.row, std::move(*bytes)};
      }
    }
    return found;
  }

  void put(std::string_view name, std::string content) const { directory_.write(name, content); }

  Bodies waiting_;
};

TEST_F(DamagedFileTest, FindsWhatWaitsAndNothingElse) {
  fill();
  copy("killed.db");
  EXPECT_EQ(found_in("killed.db"), waiting_) << "out of the database and its log";
  ASSERT_TRUE(outbox_->write_through());
  copy("written.db");
  EXPECT_EQ(found_in("written.db"), waiting_) << "out of the database alone";
}

TEST_F(DamagedFileTest, KnowsWhereTheTreeOfBodiesBegins) {
  outbox_.reset();
  auto copy = Sqlite::open(options_.path, {.read_only = false, .create = false});
  ASSERT_TRUE(copy) << copy.error().sentence();
  auto root = copy->prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'body'");
  ASSERT_TRUE(root->step().value());
  EXPECT_EQ(root->integer(0), DamagedFile::kBodyRoot);
}

TEST_F(DamagedFileTest, LosesNothingWhereThePlacesOfCellsAreDamaged) {
  fill();
  ASSERT_TRUE(outbox_->write_through());
  const std::string whole = directory_.read("outbox.db");
  auto file = DamagedFile::open(options_.path);
  while (!file->survey(1'000)) {
  }
  std::size_t pages = 0;
  for (std::uint32_t page = 1; page <= file->pages(); ++page) {
    const auto cells = file->cells(page);
    if (cells.empty()) continue;
    ++pages;
    // The page's header, and the pointers behind it.
    for (std::size_t at = 0; at < 8 + 2 * cells.size(); ++at) {
      std::string damaged = whole;
      char& byte = damaged[(page - 1) * DamagedFile::kPageBytes + at];
      byte = static_cast<char>(byte ^ 0xFF);
      put("damaged.db", damaged);
      EXPECT_EQ(found_in("damaged.db"), waiting_) << "page " << page << " byte " << at;
    }
  }
  EXPECT_GT(pages, 5U);
}

TEST_F(DamagedFileTest, TakesNothingFreeForUsedWhereTheFreeListIsDamaged) {
  fill();
  ASSERT_TRUE(outbox_->write_through());
  const std::string whole = directory_.read("outbox.db");
  ASSERT_NE(whole.substr(32, 8), std::string(8, '\0')) << "there are free pages";
  for (std::size_t at = 32; at < 40; ++at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0xFF);
    put("damaged.db", damaged);
    EXPECT_EQ(found_in("damaged.db"), waiting_) << at;
  }
}

TEST_F(DamagedFileTest, ReadsALogUpToItsFirstBadFrame) {
  insert(Lane::live, 50);
  const auto before = rows(Lane::live);
  insert(Lane::live, 60);
  std::string log = directory_.read("outbox.db-wal");
  copy("killed.db");
  log.back() = static_cast<char>(log.back() ^ 0xFF);
  put("killed.db-wal", log);
  const Bodies found = found_in("killed.db");
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found.begin()->second.second, before[0].bytes);
}

/// It was renamed with its outbox, and the name that it points to is that of the log of the new one.
TEST_F(DamagedFileTest, TakesNoLogForItsOwnThatIsOnlyALink) {
  insert(Lane::live, 50);
  ASSERT_TRUE(outbox_->write_through());
  const auto before = rows(Lane::live);
  put("killed.db", directory_.read("outbox.db"));
  insert(Lane::live, 60);
  std::filesystem::create_symlink("outbox.db-wal", directory_.file("killed.db-wal"));
  const Bodies found = found_in("killed.db");
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found.begin()->second.second, before[0].bytes);
  std::filesystem::create_symlink("endless.db-wal", directory_.file("endless.db-wal"));
  put("endless.db", directory_.read("killed.db"));
  EXPECT_EQ(found_in("endless.db").size(), 1U);
}

/// As a fuzz target would: any damage of the database and its log. Nothing crashes, all ends, and what bears a right CRC is what
/// was stored under that number once.
TEST_F(DamagedFileTest, SurvivesAnyDamage) {
  fill();
  Bodies ever = waiting_;
  copy("killed.db");
  for (const auto& [name, body] : found_in("killed.db")) ever[name] = body;
  const std::string database = directory_.read("killed.db");
  const std::string log = directory_.read("killed.db-wal");
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 chance{seed};
  for (int trial = 0; trial < 400; ++trial) {
    std::string files[] = {database, log};
    for (std::uint64_t hits = 1 + chance() % 40; hits > 0; --hits) {
      std::string& file = files[chance() % 4 == 0 ? 1 : 0];
      if (file.empty()) continue;
      const std::size_t at = chance() % file.size();
      const std::size_t page = at / DamagedFile::kPageBytes * DamagedFile::kPageBytes;
      switch (chance() % 6) {
        case 0: file[at] = static_cast<char>(chance()); break;
        case 1: file.resize(at); break;
        case 2:
          for (std::size_t i = at; i < std::min(file.size(), at + 512); ++i) file[i] = static_cast<char>(chance());
          break;
        case 3: file.replace(page, DamagedFile::kPageBytes, file.substr(chance() % file.size() / DamagedFile::kPageBytes * DamagedFile::kPageBytes, DamagedFile::kPageBytes)); break;
        case 4: file[std::min<std::size_t>(page + chance() % 16, file.size() - 1)] = static_cast<char>(chance()); break;  // where numbers of pages stand
        default:
          if (page + 12 < file.size()) std::fill_n(file.begin() + static_cast<std::ptrdiff_t>(page + 8), 4, static_cast<char>(0));
          break;
      }
    }
    put("damaged.db", files[0]);
    put("damaged.db-wal", files[1]);
    for (const auto& [name, body] : found_in("damaged.db")) {
      const auto known = ever.find(name);
      if (known == ever.end()) continue;
      EXPECT_EQ(body.second, known->second.second);
    }
  }
}

/// A reader goes on behind a cell by where the next begins: two at one place would hold it there for ever.
TEST_F(DamagedFileTest, GivesEachPlaceOnceThoughThePageNamesItOften) {
  fill();
  ASSERT_TRUE(outbox_->write_through());
  const std::string whole = directory_.read("outbox.db");
  auto file = DamagedFile::open(options_.path);
  while (!file->survey(1'000)) {
  }
  std::size_t pages = 0;
  for (std::uint32_t number = 1; number <= file->pages(); ++number) {
    if (file->cells(number).empty()) continue;
    ++pages;
    DamagedFile::Page page{};
    std::memcpy(page.data(), &whole[(number - 1) * page.size()], page.size());
    const auto set16 = [&page](std::size_t at, std::size_t value) {
      page[at] = static_cast<std::byte>(value >> 8U);
      page[at + 1] = static_cast<std::byte>(value);
    };
    const std::size_t first = std::to_integer<std::size_t>(page[8]) << 8U | std::to_integer<std::size_t>(page[9]);
    const std::size_t count = std::min<std::size_t>((first - 8) / 2, 60);
    set16(3, count);
    for (std::size_t i = 0; i < count; ++i) set16(8 + 2 * i, first);
    const auto cells = DamagedFile::cells_of(page);
    for (std::size_t i = 1; i < cells.size(); ++i) EXPECT_LT(cells[i - 1].begin, cells[i].begin) << "page " << number;
  }
  EXPECT_GT(pages, 0U);
}

TEST_F(DamagedFileTest, FindsTheNewestRowWhereverItLies) {
  std::int64_t newest = 0;
  for (int i = 0; i < 3'000; ++i) insert(Lane::live, 1);
  for (const OutboxRow& row : rows(Lane::live)) newest = std::max(newest, row.row);
  ASSERT_TRUE(outbox_->write_through());
  const auto file = DamagedFile::open(options_.path);
  ASSERT_GT(file->pages(), 500U);
  EXPECT_EQ(file->newest_row_at_a_glance(), newest);
}

TEST_F(DamagedFileTest, SaysWhetherItIsOfAnotherEpoch) {
  fill();
  ASSERT_TRUE(outbox_->write_through());
  const auto file = DamagedFile::open(options_.path);
  EXPECT_FALSE(file->is_of_another(kEpoch));
  EXPECT_TRUE(file->is_of_another(kEpoch + 1));
  put("nothing.db", std::string(64 << 10, '\0'));
  EXPECT_FALSE(DamagedFile::open(directory_.file("nothing.db"))->is_of_another(kEpoch));
}

TEST_F(DamagedFileTest, IsNotOpenedWhereThereIsNone) {
  EXPECT_FALSE(DamagedFile::open(directory_.path()));
  EXPECT_FALSE(DamagedFile::open(directory_.file("nowhere")));
  put("empty.db", "");
  EXPECT_FALSE(DamagedFile::open(directory_.file("empty.db")));
}

}  // namespace
}  // namespace fieldpost
