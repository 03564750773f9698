// SPDX-License-Identifier: Apache-2.0
// The store on disks that are full, read-only, gone, damaged or hit by sudden death.
#include "agent/store/store_disk.hpp"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <random>

#include "platform/file_descriptor.hpp"
#include "tests/agent/store/store_fixture.hpp"

namespace fieldpost {
namespace {

/// Marks that the test can make fail or watch.
class WatchedMarks final : public MarkStorage {
 public:
  explicit WatchedMarks(const std::string& path) : file_{make_mark_file(path)} {}
  Result<std::optional<Marks>> read() override { return file_->read(); }
  Result<void> write(const Marks& marks) override {
    if (fails) return Error{ErrorKind::Io, "the marks' disk is broken"};
    return file_->write(marks);
  }
  static inline bool fails = false;

 private:
  std::unique_ptr<MarkStorage> file_;
};

class StoreDiskTest : public StoreTest {
 protected:
  void TearDown() override {
    store_.reset();
    WatchedMarks::fails = false;
    if (mounted_) ::umount2(options_.directory.c_str(), MNT_DETACH);
  }

  /// A file system of its own below the store; false (and skipped) where that is not allowed.
  bool mount_small_disk(const char* size) {
    ::mkdir(options_.directory.c_str(), 0755);
    const std::string with = std::string{"mode=700,size="} + size;
    mounted_ = ::mount("tmpfs", options_.directory.c_str(), "tmpfs", 0, with.c_str()) == 0;
    return mounted_;
  }

  void fill_disk() const {
    const FileDescriptor file{::open((options_.directory + "/ballast").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600)};
    const std::string block(65'536, 'x');
    for (std::size_t size : {block.size(), std::size_t{4096}, std::size_t{1}}) {
      while (::write(file.get(), block.data(), size) > 0) {
      }
    }
  }

  void empty_disk() const { ::unlink((options_.directory + "/ballast").c_str()); }

  bool wait_for_error() {
    return loop_.run_until([this] { return !store_->status().disk_ok && !store_->status().disk_error.empty(); });
  }

  bool mounted_ = false;
};

TEST_F(StoreDiskTest, RunsFromMemoryWhileTheDirectoryCannotBeMadeAndRecovers) {
  options_.directory = directory_.file("missing/state");
  open();
  ASSERT_TRUE(wait_for_error());
  EXPECT_NE(store_->status().disk_error.find(options_.directory), std::string::npos);
  add_samples();
  loop_.advance(seconds{30});
  EXPECT_EQ(store_->status().memory_readings, added_);
  EXPECT_EQ(log_.count("outbox cannot be written"), 1U);
  ASSERT_EQ(::mkdir(directory_.file("missing").c_str(), 0755), 0);
  loop_.advance(seconds{31});
  ASSERT_TRUE(loop_.run_until([this] { return store_->status().durable_readings == added_; }));
  EXPECT_EQ(log_.count("outbox can be written again"), 1U);
  EXPECT_EQ(accounted_for(), added_);
}

TEST_F(StoreDiskTest, BacksOffFromADiskThatDoesNotAnswer) {
  options_.directory = directory_.file("missing/state");
  options_.flush_interval = std::chrono::hours{100};  // so that the only other timer is the next attempt
  open();
  for (const int expected : {1, 2, 4, 8, 16, 30, 30}) {
    const BootTime before = clock_.now();
    ASSERT_TRUE(loop_.run_until([&] { return loop_.timers() == 2; }));
    ASSERT_EQ(*loop_.next_timer() - before, seconds{expected});
    loop_.advance(seconds{expected});
  }
}

TEST_F(StoreDiskTest, DropsTheOldestOfBulkWhenMemoryIsFullCountsThemAndReportsThem) {
  options_.directory = directory_.file("missing/state");
  options_.memory_bytes_max = 40'000;
  open();
  ASSERT_TRUE(wait_for_error());
  for (int i = 0; i < 30; ++i) {
    add_samples(Lane::bulk);
    add_samples(Lane::live);
    ASSERT_LE(store_->status().memory_bytes, options_.memory_bytes_max);
  }
  Event alert;
  alert.name = "a";
  alert.severity = Severity::critical;
  store_->add(alert);
  ++added_;
  const StoreStatus status = store_->status();
  EXPECT_GT(status.dropped_readings[3], 0U);
  EXPECT_EQ(status.dropped_readings[0], 0U);
  EXPECT_EQ(accounted_for(), added_);
  ASSERT_EQ(::mkdir(directory_.file("missing").c_str(), 0755), 0);
  ASSERT_TRUE(flush());
  std::uint64_t told = 0;
  for (const Gap& gap : gaps_of(fetch(Lane::event))) {
    EXPECT_EQ(gap.cause, Gap::Cause::memory);
    told += gap.readings;
  }
  EXPECT_EQ(told, sum(store_->status().dropped_readings));
  EXPECT_EQ(accounted_for(), added_);
}

TEST_F(StoreDiskTest, KeepsToItsMemoryBoundToTheByte) {
  options_.directory = directory_.file("missing/state");
  options_.memory_bytes_max = 100 * sizeof(Sample);
  open();
  ASSERT_TRUE(wait_for_error());
  for (int i = 0; i < 5; ++i) add_samples();
  EXPECT_EQ(store_->status().memory_bytes, options_.memory_bytes_max);
  EXPECT_EQ(sum(store_->status().dropped_readings), 0U);
  store_->add(Lane::live, Sample{ids_[0], 1, clock_.now(), Quality::good});
  ++added_;
  EXPECT_GT(sum(store_->status().dropped_readings), 0U);
  EXPECT_LE(store_->status().memory_bytes, options_.memory_bytes_max);
  EXPECT_EQ(accounted_for(), added_);
}

TEST_F(StoreDiskTest, SurvivesAFullDiskFromTheStartAndRecovers) {
  if (!mount_small_disk("4m")) GTEST_SKIP() << "cannot mount a tmpfs here (needs root)";
  fill_disk();
  open();
  ASSERT_TRUE(wait_for_error());
  EXPECT_NE(store_->status().disk_error.find("full"), std::string::npos) << store_->status().disk_error;
  EXPECT_NE(store_->status().disk_error.find("free"), std::string::npos);
  for (int i = 0; i < 5; ++i) {
    add_samples();
    loop_.advance(seconds{20});
  }
  EXPECT_EQ(accounted_for(), added_);
  empty_disk();
  ASSERT_TRUE(flush());
  EXPECT_EQ(store_->status().durable_readings, added_);
  EXPECT_EQ(sum(store_->status().dropped_readings), 0U);
}

TEST_F(StoreDiskTest, SurvivesADiskThatFillsUpAndLosesNothingDurable) {
  if (!mount_small_disk("6m")) GTEST_SKIP() << "cannot mount a tmpfs here (needs root)";
  open();
  for (int i = 0; i < 10; ++i) {
    add_samples();
    ASSERT_TRUE(flush());
  }
  fill_disk();
  for (int i = 0; i < 150; ++i) {
    for (int j = 0; j < 20; ++j) add_noise(Lane::live);
    static_cast<void>(flush());
    ASSERT_EQ(accounted_for(), added_) << i;
  }
  ASSERT_FALSE(store_->status().disk_ok) << "the reserve is used up by now";
  const Epoch epoch = store_->status().epoch;
  empty_disk();
  ASSERT_TRUE(flush());
  EXPECT_EQ(accounted_for(), added_);
  EXPECT_EQ(store_->status().epoch, epoch);
  std::uint64_t seq = 0;
  for (const auto& segment : fetch(Lane::live)) {  // merged, many of them
    EXPECT_EQ(segment.header.first_seq, seq + 1);
    seq = segment.header.seq;
  }
}

TEST_F(StoreDiskTest, CanStillDeleteWhatIsAcknowledgedOnAFullDisk) {
  if (!mount_small_disk("6m")) GTEST_SKIP() << "cannot mount a tmpfs here (needs root)";
  open();
  for (int i = 0; i < 30; ++i) {
    add_samples();
    ASSERT_TRUE(flush());
  }
  fill_disk();
  for (const auto& segment : fetch(Lane::live)) store_->acknowledge(segment);
  ASSERT_TRUE(flush());
  EXPECT_EQ(store_->status().acknowledged_readings, added_);
}

TEST_F(StoreDiskTest, RunsFromMemoryOnAReadOnlyDisk) {
  if (!mount_small_disk("4m")) GTEST_SKIP() << "cannot mount a tmpfs here (needs root)";
  ASSERT_EQ(::mount(nullptr, options_.directory.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr), 0);
  open();
  ASSERT_TRUE(wait_for_error());
  EXPECT_NE(store_->status().disk_error.find("read-only"), std::string::npos) << store_->status().disk_error;
  EXPECT_NE(store_->status().disk_error.find("remount"), std::string::npos);
  add_samples();
  ASSERT_FALSE(flush());
  ASSERT_EQ(::mount(nullptr, options_.directory.c_str(), nullptr, MS_REMOUNT, nullptr), 0);
  ASSERT_TRUE(flush());
  EXPECT_EQ(store_->status().durable_readings, added_);
}

TEST_F(StoreDiskTest, CallsNothingDurableThatIsInADeletedDirectory) {
  open();
  add_samples();
  ASSERT_TRUE(flush());
  const Epoch epoch = store_->status().epoch;
  std::filesystem::remove_all(options_.directory);
  add_samples();
  ASSERT_TRUE(flush());
  EXPECT_NE(store_->status().epoch, epoch);
  reopen();
  ASSERT_TRUE(flush());
  EXPECT_EQ(sum(store_->status().waiting_readings), ids_.size() + 1) << "what was added after it, and the alert that tells of it";
  EXPECT_EQ(readings_of(gaps_of(fetch(Lane::event))), ids_.size());
}

TEST_F(StoreDiskTest, GoesOnWithTheFilesThatTookThePlaceOfItsOwnAndTheirLog) {
  open();
  for (int i = 0; i < 3; ++i) {
    add_samples();
    ASSERT_TRUE(flush());
  }
  const std::string aside = directory_.file("aside");
  std::filesystem::rename(options_.directory, aside);
  std::filesystem::copy(aside, options_.directory, std::filesystem::copy_options::recursive);
  ASSERT_GT(file_bytes("state/outbox.db-wal"), 0) << "or nothing is tried";
  add_samples();
  ASSERT_TRUE(flush());
  reopen();
  ASSERT_TRUE(flush());
  EXPECT_EQ(store_->status().waiting_readings[index(Lane::live)], added_);
  EXPECT_TRUE(gaps_of(fetch(Lane::event)).empty());
}

TEST_F(StoreDiskTest, TellsADiskWithoutInodesFromAFullOne) {
  ::mkdir(options_.directory.c_str(), 0755);
  mounted_ = ::mount("tmpfs", options_.directory.c_str(), "tmpfs", 0, "mode=700,nr_inodes=1") == 0;
  if (!mounted_) GTEST_SKIP() << "cannot mount a tmpfs here (needs root)";
  open();
  ASSERT_TRUE(wait_for_error());
  EXPECT_NE(store_->status().disk_error.find("no inodes left"), std::string::npos) << store_->status().disk_error;
}

TEST_F(StoreDiskTest, GoesOnWhenTheMarksCannotBeWritten) {
  open({.vfs = {}, .marks = [](const std::string& path) { return std::make_unique<WatchedMarks>(path); }});
  add_samples();
  ASSERT_TRUE(flush());
  WatchedMarks::fails = true;
  add_samples();
  EXPECT_TRUE(flush());
  EXPECT_TRUE(log_.contains("outbox marks not written"));
  WatchedMarks::fails = false;
  // What was not marked waits still, so its numbers are known to be taken.
  const Epoch epoch = store_->status().epoch;
  store_->close();
  open();
  ASSERT_TRUE(flush());
  EXPECT_EQ(store_->status().epoch, epoch);
  EXPECT_EQ(store_->status().newest_seq, 2U);
  // And marked now, before it is sent: or it could be used again after the next damage.
  const auto marks = make_mark_file(directory_.file("state/outbox.marks"))->read().value();
  ASSERT_TRUE(marks);
  EXPECT_EQ(marks->newest_seq, 2U);
  EXPECT_EQ(marks->oldest_waiting, 1U);
}

TEST_F(StoreDiskTest, LetsASecondAgentOnTheSameDirectoryWait) {
  open();
  add_samples();
  ASSERT_TRUE(flush());
  // Another process, for SQLite's locks are a process's.
  const pid_t child = ::fork();
  if (child == 0) {
    StoreOptions options = options_;
    StoreDisk second{options, {}, log_.log(), table_};
    DiskWork work;
    work.moment = {clock_.boot_id(), clock_.now()};
    second.commit(work);
    const std::string sentence = second.figures().error;
    ::_exit(!work.result && sentence.find("another process") != std::string::npos ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

/// Bytes that a damaged database may hold are either those that were stored or none.
class StoreDamageTest : public StoreDiskTest {
 protected:
  static constexpr int kSegments = 8;

  void SetUp() override {
    StoreDiskTest::SetUp();
    open();
    for (int i = 0; i < kSegments; ++i) {
      for (int j = 0; j < 4; ++j) i % 2 == 0 ? add_samples(Lane::live) : add_noise(Lane::bulk);
      ASSERT_TRUE(flush());
    }
    for (const auto& segment : fetch_all()) stored_[{segment.header.epoch, segment.header.seq}] = segment.bytes;
    ASSERT_EQ(stored_.size(), static_cast<std::size_t>(kSegments));
    store_->close();
    store_.reset();
  }

  /// Opens the store on the files as they are now and checks all that must hold.
  void expect_sound(const std::string& what) {
    SCOPED_TRACE(what);
    open();
    ASSERT_TRUE(loop_.run_until([this] { return store_->status().disk_ok || !store_->status().disk_error.empty(); }));
    ASSERT_TRUE(store_->status().disk_ok) << store_->status().disk_error;
    std::set<std::pair<Epoch, std::uint64_t>> found;
    for (const auto& segment : fetch_all()) {
      const std::pair name{segment.header.epoch, segment.header.seq};
      const auto original = stored_.find(name);
      if (original == stored_.end()) {
        // Something new: a report or an alert about the damage, in numbers that nobody has used.
        ASSERT_TRUE(segment.header.lane == Lane::event || segment.header.lane == Lane::alert);
        continue;
      }
      ASSERT_EQ(segment.bytes, original->second) << "seq " << segment.header.seq;
      found.insert(name);
    }
    // Going on must not use a number twice.
    add_samples();
    ASSERT_TRUE(flush());
    ASSERT_FALSE(stored_.contains({store_->status().epoch, store_->status().newest_seq}));
    for (const auto& segment : fetch(Lane::live)) {
      const auto original = stored_.find({segment.header.epoch, segment.header.seq});
      if (original != stored_.end()) {
        ASSERT_EQ(segment.bytes, original->second);
      }
    }
    lost_ += stored_.size() - found.size();
    store_->close();
    store_.reset();
    log_.clear();
  }

  void restore(const std::map<std::string, std::string>& files) const {
    std::filesystem::remove_all(options_.directory);
    for (const auto& [name, content] : files) directory_.write("state/" + name, content);
  }

  std::map<std::string, std::string> files() const {
    std::map<std::string, std::string> found;
    for (const char* name : {"outbox.db", "outbox.db-wal", "state.db", "state.db-wal", "state.mirror", "outbox.marks"}) {
      if (directory_.exists(std::string{"state/"} + name)) found[name] = directory_.read(std::string{"state/"} + name);
    }
    return found;
  }

  std::map<std::pair<Epoch, std::uint64_t>, std::vector<std::byte>> stored_;
  std::uint64_t lost_ = 0;
};

TEST_F(StoreDamageTest, OpensAndNeverLiesWithAByteOfTheOutboxInverted) {
  const auto whole = files();
  const std::string& database = whole.at("outbox.db");
  const std::uint64_t seed = std::random_device{}();
  std::mt19937_64 chance{seed};
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < 100; ++i) places.push_back(i);  // the header, all of it
  for (int i = 0; i < 30; ++i) places.push_back(chance() % database.size());
  for (const std::size_t place : places) {
    auto damaged = whole;
    damaged["outbox.db"][place] = static_cast<char>(database[place] ^ 0xFF);
    restore(damaged);
    expect_sound("seed " + std::to_string(seed) + ", byte " + std::to_string(place));
    if (HasFatalFailure()) return;
  }
}

TEST_F(StoreDamageTest, OpensAndNeverLiesWithTheOutboxCutAnywhere) {
  const auto whole = files();
  const std::string& database = whole.at("outbox.db");
  for (std::size_t length = 0; length < database.size(); length += database.size() / 15 + 1) {
    auto damaged = whole;
    damaged["outbox.db"].resize(length);
    restore(damaged);
    expect_sound("length " + std::to_string(length));
    if (HasFatalFailure()) return;
  }
}

TEST_F(StoreDamageTest, SetsADamagedDatabaseAsideAndTellsAPerson) {
  auto damaged = files();
  damaged["outbox.db"] = std::string(damaged["outbox.db"].size(), 'x');
  restore(damaged);
  open();
  ASSERT_TRUE(flush());
  ASSERT_TRUE(flush());
  EXPECT_TRUE(log_.contains("outbox set aside"));
  int kept = 0;
  for (const auto& entry : std::filesystem::directory_iterator{options_.directory}) {
    kept += entry.path().filename().string().starts_with("outbox.db.damaged-") ? 1 : 0;
  }
  EXPECT_GE(kept, 1);
  std::set<std::string> names;
  for (const auto& segment : fetch(Lane::alert)) {
    const auto content = decode_segment_content(segment.bytes);
    for (const Event& event : content->events) names.insert(event.name);
  }
  EXPECT_TRUE(names.contains("outbox_set_aside"));
}

/// A life of the store that ends by SIGKILL: what it said was durable is written to a pipe first.
class StoreDeathTest : public StoreDiskTest {
 protected:
  /// Returns the (seq, readings) that the child announced before it died.
  std::vector<std::uint64_t> live_and_die(int flushes) {
    int ends[2];
    EXPECT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      ::close(ends[0]);
      ManualEventLoop loop{clock_};
      Log log{clock_, LogLevel::debug, [&ends](LogLevel, std::string_view line) {
        const auto at = line.find("segment durable");
        if (at == std::string_view::npos) return;
        const auto seq = static_cast<std::uint64_t>(std::atoll(std::string{line.substr(line.find("seq=") + 4)}.c_str()));
        if (::write(ends[1], &seq, sizeof seq) != static_cast<ssize_t>(sizeof seq)) ::_exit(2);
      }};
      Store store{loop, log, table_, options_};
      for (int i = 0;; ++i) {
        for (const SeriesId id : ids_) store.add(Lane::live, Sample{id, i, clock_.now(), Quality::good});
        clock_.advance(seconds{1});
        bool done = false;
        store.flush([&done](const Result<void>&) { done = true; });
        if (i == flushes) {
          // In the middle of a commit, or just before or after one: wherever the worker is.
          ::kill(::getpid(), SIGKILL);
        }
        if (!loop.run_until([&done] { return done; })) ::_exit(3);
      }
    }
    ::close(ends[1]);
    std::vector<std::uint64_t> announced;
    std::uint64_t seq = 0;
    while (::read(ends[0], &seq, sizeof seq) == static_cast<ssize_t>(sizeof seq)) announced.push_back(seq);
    ::close(ends[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
    return announced;
  }
};

TEST_F(StoreDeathTest, KeepsAllThatWasDurableWhenItIsKilledAndReusesNoNumber) {
  std::set<std::uint64_t> durable;
  for (int life = 0; life < 12; ++life) {
    for (const std::uint64_t seq : live_and_die(life % 5)) {
      EXPECT_TRUE(durable.insert(seq).second) << "seq " << seq << " was used twice";
    }
  }
  open();
  ASSERT_TRUE(flush());
  std::set<Epoch> epochs;
  std::set<std::uint64_t> found;
  for (const auto& segment : fetch_all()) {
    epochs.insert(segment.header.epoch);
    EXPECT_TRUE(found.insert(segment.header.seq).second);
  }
  for (const std::uint64_t seq : durable) EXPECT_TRUE(found.contains(seq)) << "seq " << seq << " is lost";
  EXPECT_LE(epochs.size(), 1U);
  EXPECT_GE(durable.size(), 20U);
}

}  // namespace
}  // namespace fieldpost
