// SPDX-License-Identifier: Apache-2.0
// The system's own tar reads what is written.
#include "agent/jobs/tar_archive.hpp"

#include <gtest/gtest.h>

#include "platform/child_process.hpp"
#include "tests/agent/jobs/operation_world.hpp"

namespace fieldpost {
namespace {

struct TarArchiveTest : OperationWorld {
  std::string tar(const std::vector<std::string>& words) {
    std::string output;
    bool over = false;
    ChildProcess::Options child;
    child.arguments = {"tar"};
    child.arguments.insert(child.arguments.end(), words.begin(), words.end());
    child.on_output = [&output](std::string_view bytes) { output += bytes; };
    child.on_error_output = [&output](std::string_view bytes) { output += bytes; };
    child.on_exit = [&over](int) { over = true; };
    const auto started = ChildProcess::start(loop, std::move(child));
    EXPECT_TRUE(started);
    EXPECT_TRUE(loop.run_until([&over] { return over; }));
    return output;
  }
};

TEST_F(TarArchiveTest, IsReadByTar) {
  TarArchive archive{clock.utc().time};
  archive.add("empty", "");
  archive.add("folder/one", "content\n");
  archive.add("block", std::string(512, 'x'));
  archive.add(std::string(200, 'n'), "long name");
  directory.write("made.tar", std::move(archive).take());
  const std::string file = directory.file("made.tar");
  EXPECT_EQ(tar({"-tf", file}), "empty\nfolder/one\nblock\n" + std::string(99, 'n') + "\n");
  EXPECT_EQ(tar({"-xOf", file, "folder/one"}), "content\n");
  EXPECT_EQ(tar({"-xOf", file, "block"}), std::string(512, 'x'));
  EXPECT_EQ(tar({"-xOf", file, "empty"}), "");
}

}  // namespace
}  // namespace fieldpost
