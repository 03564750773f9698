// SPDX-License-Identifier: Apache-2.0
// Names of sockets: stale ones go, live ones and other people's files stay.
#include "platform/unix_socket.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "tests/support/temporary_directory.hpp"

namespace fieldpost {
namespace {

TEST(UnixSocket, CarriesBytesAndKnowsThePeer) {
  const TemporaryDirectory directory;
  const FileDescriptor listener = listen_unix(directory.file("control")).value();
  const FileDescriptor client = connect_unix(directory.file("control")).value();
  const FileDescriptor server = accept_unix(listener).value();
  ASSERT_EQ(::send(client.get(), "status", 6, MSG_NOSIGNAL), 6);
  char buffer[16];
  ASSERT_EQ(::recv(server.get(), buffer, sizeof buffer, 0), 6);
  EXPECT_EQ(std::string(buffer, 6), "status");

  const UnixPeer peer = unix_peer(server).value();
  EXPECT_EQ(peer.process, ::getpid());
  EXPECT_EQ(peer.user, ::getuid());
  EXPECT_EQ(peer.group, ::getgid());
}

TEST(UnixSocket, HasTheModeAskedForWhateverTheUmask) {
  const TemporaryDirectory directory;
  const mode_t before = ::umask(0077);
  const auto listener = listen_unix(directory.file("control"), 0660);
  ::umask(before);
  ASSERT_TRUE(listener);
  struct stat status {};
  ASSERT_EQ(::stat(directory.file("control").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0660U);
}

TEST(UnixSocket, DescriptorsCloseOnExecAndDoNotBlock) {
  const TemporaryDirectory directory;
  const FileDescriptor listener = listen_unix(directory.file("control")).value();
  const FileDescriptor client = connect_unix(directory.file("control")).value();
  const FileDescriptor server = accept_unix(listener).value();
  for (const int number : {listener.get(), client.get(), server.get()}) {
    EXPECT_NE(::fcntl(number, F_GETFD) & FD_CLOEXEC, 0);
    EXPECT_NE(::fcntl(number, F_GETFL) & O_NONBLOCK, 0);
  }
}

TEST(UnixSocket, AcceptSaysWhenNobodyWaits) {
  const TemporaryDirectory directory;
  const FileDescriptor listener = listen_unix(directory.file("control")).value();
  EXPECT_EQ(accept_unix(listener).error().kind(), ErrorKind::Unavailable);
}

TEST(UnixSocket, ReplacesANameThatNobodyServes) {
  const TemporaryDirectory directory;
  { const auto dead = listen_unix(directory.file("control")); }
  ASSERT_TRUE(directory.exists("control"));
  EXPECT_EQ(connect_unix(directory.file("control")).error().kind(), ErrorKind::NotPresent);
  const auto listener = listen_unix(directory.file("control"));
  ASSERT_TRUE(listener) << listener.error().sentence();
  EXPECT_TRUE(connect_unix(directory.file("control")));
}

TEST(UnixSocket, LeavesALiveOneAlone) {
  const TemporaryDirectory directory;
  const FileDescriptor first = listen_unix(directory.file("control")).value();
  const auto second = listen_unix(directory.file("control"));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind(), ErrorKind::Unavailable);
  EXPECT_TRUE(connect_unix(directory.file("control")));
}

TEST(UnixSocket, LeavesAFileThatIsNoSocketAlone) {
  const TemporaryDirectory directory;
  directory.write("control", "precious");
  const auto listener = listen_unix(directory.file("control"));
  ASSERT_FALSE(listener);
  EXPECT_EQ(listener.error().kind(), ErrorKind::Denied);
  EXPECT_EQ(directory.read("control"), "precious");
}

TEST(UnixSocket, SaysWhatIsMissing) {
  const TemporaryDirectory directory;
  EXPECT_EQ(connect_unix(directory.file("absent")).error().kind(), ErrorKind::NotPresent);
  EXPECT_EQ(listen_unix(directory.file("absent/control")).error().kind(), ErrorKind::NotPresent);
}

TEST(UnixSocket, BoundsThePathExactly) {
  const TemporaryDirectory directory;
  const std::string longest =
      directory.file(std::string(kUnixSocketPathBytesMax - directory.path().size() - 1, 'x'));
  ASSERT_EQ(longest.size(), kUnixSocketPathBytesMax);
  const auto listener = listen_unix(longest);
  ASSERT_TRUE(listener) << listener.error().sentence();
  EXPECT_TRUE(connect_unix(longest));
  EXPECT_EQ(listen_unix(longest + "x").error().kind(), ErrorKind::OutOfRange);
  EXPECT_EQ(connect_unix(longest + "x").error().kind(), ErrorKind::OutOfRange);
  EXPECT_EQ(listen_unix("").error().kind(), ErrorKind::OutOfRange);
}

}  // namespace
}  // namespace fieldpost
