// SPDX-License-Identifier: Apache-2.0
// What a recording says of samples, and that it can be read back.
#include "agent/commands/recording.hpp"

#include <gtest/gtest.h>

#include "tests/support/temporary_directory.hpp"

namespace fieldpost {
namespace {

TEST(Recording, NamesASeriesOnceAndLeavesOutWhatDidNotChange) {
  TemporaryDirectory directory;
  SeriesTable table;
  Series load;
  load.name = "node_load1";
  Series received;
  received.name = "node_network_receive_bytes_total";
  received.labels = {{"device", "eth0"}};
  received.unit = "bytes";
  received.kind = SeriesKind::counter;
  const SeriesId first = table.add(load).value();
  const SeriesId second = table.add(received).value();
  {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file{std::fopen(directory.file("r.txt").c_str(), "we"), &std::fclose};
    Recording recording{table, *file};
    recording.accept({first, 2.0, BootTime{seconds{1}}, Quality::good});
    recording.accept({second, 9'007'199'254'740'993, BootTime{seconds{1}}, Quality::good});
    recording.accept({first, 2.0, BootTime{seconds{2}}, Quality::good});
    recording.accept({second, 9'007'199'254'740'994, BootTime{seconds{2}}, Quality::good});
    recording.accept({first, 2, BootTime{seconds{3}}, Quality::good});  // an integer now
    EXPECT_EQ(recording.samples(), 5U);
  }
  EXPECT_EQ(directory.read("r.txt"),
            "# fieldpost sources --record, version 1\n"
            "{\"id\":0,\"name\":\"node_load1\",\"unit\":\"\",\"kind\":\"gauge\",\"labels\":{}}\n"
            "@1000000000\n"
            "0 2.0\n"
            "{\"id\":1,\"name\":\"node_network_receive_bytes_total\",\"unit\":\"bytes\",\"kind\":\"counter\",\"labels\":{\"device\":\"eth0\"}}\n"
            "1 9007199254740993\n"
            "@2000000000\n"
            "0\n"
            "1 9007199254740994\n"
            "@3000000000\n"
            "0 2\n");
}

TEST(Recording, SaysWhyItsFileCannotBeWritten) {
  const auto written = record_sources("/nonexistent/r.txt", seconds{1}, FileTree{}, {});
  ASSERT_FALSE(written);
  EXPECT_NE(written.error().sentence().find("/nonexistent/r.txt"), std::string::npos);
}

}  // namespace
}  // namespace fieldpost
