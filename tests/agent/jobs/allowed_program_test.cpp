// SPDX-License-Identifier: Apache-2.0
#include "agent/jobs/allowed_program.hpp"

#include <unistd.h>

#include "tests/agent/jobs/operation_world.hpp"

namespace fieldpost {
namespace {

struct AllowedProgramTest : OperationWorld {
  void SetUp() override {
    handler("good.sh", "true");
    directory.write("outside.sh", "#!/bin/sh\n");
    ::chmod(directory.file("outside.sh").c_str(), 0700);
  }
  Result<std::string> find(const std::string& name, const std::string& place = "") {
    return allowed_program(options.handlers_directory, place, name);
  }
};

TEST_F(AllowedProgramTest, FindsOnesOwnHandlers) {
  ASSERT_TRUE(find("good.sh")) << find("good.sh").error().sentence();
  EXPECT_TRUE(find("good.sh")->ends_with("/handlers/good.sh"));
  EXPECT_TRUE(find("good.sh", "default"));
  EXPECT_TRUE(find("good.sh", options.handlers_directory));
  EXPECT_TRUE(find("good.sh", options.handlers_directory + "/"));
}

TEST_F(AllowedProgramTest, FindsThemInFoldersBelow) {
  directory.write("handlers/more/deep.sh", "#!/bin/sh\n");
  ::chmod(directory.file("handlers/more").c_str(), 0700);
  ::chmod(directory.file("handlers/more/deep.sh").c_str(), 0700);
  EXPECT_TRUE(find("deep.sh", options.handlers_directory + "/more"));
}

TEST_F(AllowedProgramTest, NothingLeadsOutside) {
  for (const char* name : {"../outside.sh", "..", ".", "", "more/../../outside.sh", "/bin/sh", ".hidden"}) {
    EXPECT_EQ(find(name).error().kind(), ErrorKind::Denied) << name;
  }
  EXPECT_EQ(find("outside.sh", directory.path()).error().kind(), ErrorKind::Denied);
  EXPECT_EQ(find("sh", "/bin").error().kind(), ErrorKind::Denied);
  EXPECT_EQ(find("outside.sh", options.handlers_directory + "/..").error().kind(), ErrorKind::Denied);
  EXPECT_EQ(find("x.sh", options.handlers_directory + "-other").error().kind(), ErrorKind::NotPresent);
  ASSERT_EQ(::symlink(directory.file("outside.sh").c_str(), directory.file("handlers/link.sh").c_str()), 0);
  EXPECT_EQ(find("link.sh").error().kind(), ErrorKind::Denied);
  ASSERT_EQ(::symlink(directory.path().c_str(), directory.file("handlers/folder").c_str()), 0);
  EXPECT_EQ(find("outside.sh", options.handlers_directory + "/folder").error().kind(), ErrorKind::Denied);
}

TEST_F(AllowedProgramTest, WhatOthersCouldChangeIsNotRun) {
  ::chmod(directory.file("handlers/good.sh").c_str(), 0722);
  EXPECT_EQ(find("good.sh").error().kind(), ErrorKind::Denied);
  ::chmod(directory.file("handlers/good.sh").c_str(), 0700);
  ::chmod(directory.file("handlers").c_str(), 0777);
  EXPECT_EQ(find("good.sh").error().kind(), ErrorKind::Denied);
}

TEST_F(AllowedProgramTest, NorWhatLiesBelowAFolderThatOthersCouldChange) {
  directory.write("handlers/more/deep/deep.sh", "#!/bin/sh\n");
  for (const char* name : {"handlers/more", "handlers/more/deep", "handlers/more/deep/deep.sh"}) ::chmod(directory.file(name).c_str(), 0700);
  EXPECT_TRUE(find("deep.sh", options.handlers_directory + "/more/deep"));
  ::chmod(directory.file("handlers/more").c_str(), 0777);
  EXPECT_EQ(find("deep.sh", options.handlers_directory + "/more/deep").error().kind(), ErrorKind::Denied);
}

TEST_F(AllowedProgramTest, WhatCannotBeRunIsNotAHandler) {
  EXPECT_EQ(find("absent.sh").error().kind(), ErrorKind::NotPresent);
  handler("text.sh", "true", 0600);
  EXPECT_EQ(find("text.sh").error().kind(), ErrorKind::Denied);
  ::mkdir(directory.file("handlers/folder.sh").c_str(), 0700);
  EXPECT_EQ(find("folder.sh").error().kind(), ErrorKind::Denied);
}

}  // namespace
}  // namespace fieldpost
