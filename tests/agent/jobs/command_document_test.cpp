// SPDX-License-Identifier: Apache-2.0
#include "agent/jobs/command_document.hpp"

#include <pwd.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "tests/agent/jobs/operation_world.hpp"

namespace fieldpost {
namespace {

using Words = std::vector<std::string>;

struct CommandDocumentTest : OperationWorld {
  void SetUp() override {
    handler("one.sh", "true");
    options.commands = {"echo", "/bin/echo"};
  }
  Result<CommandPlan> read(const std::string& text) {
    const auto json = Json::parse(text);
    EXPECT_TRUE(json) << text;
    return command_plan(*json, options);
  }
  Result<CommandPlan> read_action(const std::string& action) {
    return read(R"({"version":"1.0","steps":[{"action":)" + action + "}]}");
  }
};

// The service's managed templates and the samples of the Device Client have this form.
TEST_F(CommandDocumentTest, ReadsVersionOne) {
  const auto plan = read(R"({
    "version": "1.0", "includeStdOut": true,
    "steps": [
      {"action": {"name": "First", "type": "runHandler", "input": {"handler": "one.sh", "args": ["a", "b c"], "path": "default"},
                  "runAsUser": "user1", "allowStdErr": 8, "ignoreStepFailure": "true"}},
      {"action": {"name": "Second", "type": "runCommand", "input": {"command": "echo,Hello\\, world,again"}}}],
    "finalStep": {"action": {"name": "Last", "type": "runHandler", "input": {"handler": "one.sh"}}}})");
  ASSERT_TRUE(plan) << plan.error().sentence();
  ASSERT_EQ(plan->steps.size(), 3U);
  EXPECT_TRUE(plan->output_is_told);
  const CommandStep& first = plan->steps[0];
  ASSERT_EQ(first.arguments.size(), 4U);
  EXPECT_TRUE(first.arguments[0].ends_with("/handlers/one.sh"));
  EXPECT_EQ(Words(first.arguments.begin() + 1, first.arguments.end()), (Words{"user1", "a", "b c"}));
  EXPECT_EQ(first.error_lines_max, 8);
  EXPECT_TRUE(first.failure_is_ignored);
  EXPECT_EQ(plan->steps[1].arguments, (Words{"echo", "Hello, world", "again"}));
  EXPECT_FALSE(plan->steps[1].failure_is_ignored);
  EXPECT_EQ(plan->steps[2].name, "Last");
}

TEST_F(CommandDocumentTest, ReadsTheFlatForm) {
  const auto plan = read(R"({"operation":"one.sh","args":["x"],"path":"default","includeStdOut":"true","allowStdErr":0})");
  ASSERT_TRUE(plan) << plan.error().sentence();
  ASSERT_EQ(plan->steps.size(), 1U);
  EXPECT_EQ(plan->steps[0].arguments.size(), 3U);
  EXPECT_EQ(plan->steps[0].arguments[1], "");  // no user
  EXPECT_EQ(plan->steps[0].error_lines_max, 0);
  EXPECT_TRUE(plan->output_is_told);
}

TEST_F(CommandDocumentTest, SaysWhatIsWrong) {
  const std::pair<const char*, const char*> kWrong[] = {
      {"{}", "neither"},
      {R"({"operation":"ota.install"})", "no operation or handler \"ota.install\""},
      {R"({"operation":7})", "is no text"},
      {R"({"operation":"one.sh","args":"x"})", "no list of texts"},
      {R"({"operation":"one.sh","args":[1]})", "no list of texts"},
      {R"({"operation":"one.sh","path":"/bin"})", "not below"},
      {R"({"operation":"one.sh","allowStdErr":"0"})", "\"allowStdErr\" is no number"},
      {R"({"operation":"one.sh","conditions":"x"})", "\"conditions\" is no list"},
      {R"({"operation":"one.sh","conditions":{"key":"deviceName"}})", "\"conditions\" is no list"},
      {R"({"version":"2.0","steps":[]})", "version \"2.0\""},
      {R"({"version":"1.0","steps":[]})", "no step"},
      {R"({"version":"1.0","steps":[{}]})", "without \"action\""},
      {R"({"version":"1.0","steps":[{"action":{"type":"runHandler"}}]})", "without \"input\""},
  };
  for (const auto& [text, part] : kWrong) {
    const auto plan = read(text);
    ASSERT_FALSE(plan) << text;
    EXPECT_NE(plan.error().sentence().find(part), std::string::npos) << plan.error().sentence();
  }
  EXPECT_FALSE(read_action(R"({"type":"fly","input":{}})"));
  EXPECT_FALSE(read_action(R"({"type":"runHandler","input":{"handler":"one.sh"},"allowStdErr":"8"})"));
  EXPECT_FALSE(read_action(R"({"type":"runHandler","input":{"handler":"one.sh"},"runAsUser":"-s"})"));
}

TEST_F(CommandDocumentTest, RunsOnlyProgramsThatAreNamed) {
  EXPECT_EQ(read_action(R"({"type":"runCommand","input":{"command":"rm,-rf,/"}})").error().kind(), ErrorKind::Denied);
  EXPECT_EQ(read_action(R"({"type":"runCommand","input":{"command":"/usr/bin/echo,x"}})").error().kind(), ErrorKind::Denied);
  EXPECT_EQ(read_action(R"({"type":"runCommand","input":{"command":""}})").error().kind(), ErrorKind::Denied);
  EXPECT_TRUE(read_action(R"({"type":"runCommand","input":{"command":"/bin/echo,x"}})"));
}

TEST_F(CommandDocumentTest, AnotherUsersProgramGoesThroughSudo) {
  const auto plan = read_action(R"({"type":"runCommand","input":{"command":"echo,x"},"runAsUser":"nobody-we-know"})");
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->steps[0].arguments, (Words{"sudo", "-u", "nobody-we-know", "-n", "echo", "x"}));
}

TEST_F(CommandDocumentTest, TheOwnUserNeedsNoSudo) {
  const passwd* self = ::getpwuid(::geteuid());
  if (self == nullptr) GTEST_SKIP() << "this user stands in no /etc/passwd";
  const std::string name = self->pw_name;
  const auto words = [&](const std::string& user) {
    const auto plan = read_action(R"({"type":"runCommand","input":{"command":"echo,x"},"runAsUser":")" + user + R"("})");
    return plan ? plan->steps[0].arguments : Words{};
  };
  EXPECT_EQ(words(name), (Words{"echo", "x"}));
  EXPECT_EQ(words(name.substr(0, name.size() - 1) + "_").front(), "sudo");
  EXPECT_EQ(words(name.substr(1)).front(), "sudo");  // the end of a name is none
}

TEST_F(CommandDocumentTest, ConditionsMustHold) {
  utsname system{};
  ::uname(&system);
  const auto with = [&](const std::string& conditions) { return read(R"({"operation":"one.sh","conditions":)" + conditions + "}"); };
  EXPECT_TRUE(with(R"([{"key":"deviceName","value":["gw-0","gw-1"],"type":"stringEqual"}])"));
  EXPECT_TRUE(with(R"([{"key":"operatingSystem","value":["Linux"]}])"));
  EXPECT_TRUE(with(R"([{"key":"architecture","value":[")" + std::string{static_cast<const char*>(system.machine)} + R"("]}])"));
  EXPECT_FALSE(with(R"([{"key":"deviceName","value":["gw-1"]},{"key":"operatingSystem","value":["Plan 9"]}])"));
  EXPECT_FALSE(with(R"([{"key":"weather","value":["fine"]}])"));
  EXPECT_FALSE(with(R"([{"key":"deviceName","value":["gw-1"],"type":"regex"}])"));
}

TEST_F(CommandDocumentTest, BoundsStepsAndWords) {
  const auto with_steps = [this](std::size_t count) {
    std::string steps;
    for (std::size_t i = 0; i < count; ++i) steps += std::string{i == 0 ? "" : ","} + R"({"action":{"type":"runHandler","input":{"handler":"one.sh"}}})";
    return read(R"({"version":"1.0","steps":[)" + steps + "]}");
  };
  EXPECT_TRUE(with_steps(kCommandStepsMax));
  EXPECT_EQ(with_steps(kCommandStepsMax + 1).error().kind(), ErrorKind::OutOfRange);
  const auto with_words = [this](std::size_t count) {
    std::string words;
    for (std::size_t i = 0; i < count; ++i) words += i == 0 ? R"("x")" : R"(,"x")";
    return read(R"({"operation":"one.sh","args":[)" + words + "]}");
  };
  EXPECT_TRUE(with_words(kCommandArgumentsMax));
  EXPECT_EQ(with_words(kCommandArgumentsMax + 1).error().kind(), ErrorKind::OutOfRange);
}

}  // namespace
}  // namespace fieldpost
