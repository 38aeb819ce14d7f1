#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <string>
#include <string_view>
#include <thread>

#include "base/error.hpp"
#include "kernels/child/child_process.hpp"
#include "kernels/child/parent_link.hpp"

namespace sparkmpi::kernels::child {
namespace {

Record record_of(std::string_view text) {
  return {text.begin(), text.end()};
}

std::string text_of(const Received& received) {
  return {received.record.begin(), received.record.end()};
}

bool is_gone(pid_t pid) {
  for (int tries = 0; tries < 500; ++tries) {
    if (::kill(pid, 0) != 0 && errno == ESRCH) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

TEST(Channel, RecordsSurviveBeingTornAtEveryByte) {
  std::array<int, 2> ends{};
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()), 0);
  const std::vector<Record> sent = {record_of("first"), {}, record_of(std::string(5000, 'x'))};
  for (const Record& record : sent) send_record(ends[0], record);
  close(ends[0]);
  RecordAssembler assembler;
  std::vector<Record> got;
  std::uint8_t byte = 0;
  while (recv(ends[1], &byte, 1, 0) == 1) {
    assembler.add({&byte, 1});
    while (auto record = assembler.next()) got.push_back(std::move(*record));
  }
  close(ends[1]);
  EXPECT_EQ(got, sent);
}

TEST(Channel, NonsenseIsNoRecord) {
  RecordAssembler assembler;
  const std::vector<std::uint8_t> nonsense(8, 0xff);
  assembler.add(nonsense);
  EXPECT_THROW(assembler.next(), Error);
}

TEST(Channel, ADeadPeerIsAnErrorAndNoSignal) {
  std::array<int, 2> ends{};
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()), 0);
  close(ends[1]);
  EXPECT_THROW(send_record(ends[0], record_of("x")), Error);
  close(ends[0]);
}

class Child : public ::testing::Test {
 protected:
  ChildProcess child_{CHILD_OF_TEST, {"serve"}};
  StopSignal stop_;
};

TEST_F(Child, AnswersAndOffersItselfToTheOomKiller) {
  ASSERT_TRUE(child_.send(record_of("hello")));
  EXPECT_EQ(text_of(child_.receive(stop_, 30)), "hello");
  ASSERT_TRUE(child_.send(record_of("oom_score")));
  EXPECT_EQ(text_of(child_.receive(stop_, 30)), "1000");
}

TEST_F(Child, WhatItSentBeforeItsDeathComesFirst) {
  for (const char* const text : {"one", "two", "die", "never read"}) child_.send(record_of(text));
  EXPECT_EQ(text_of(child_.receive(stop_, 30)), "one");
  EXPECT_EQ(text_of(child_.receive(stop_, 30)), "two");
  EXPECT_EQ(child_.receive(stop_, 30).event, Event::ended);
  EXPECT_EQ(child_.wait().signal, SIGKILL);
  EXPECT_FALSE(child_.send(record_of("still there?")));
}

TEST_F(Child, AnOrdinaryEndHasAStatus) {
  child_.send(record_of("leave"));
  EXPECT_EQ(child_.receive(stop_, 30).event, Event::ended);
  const Ending ending = child_.wait();
  EXPECT_EQ(ending.signal, 0);
  EXPECT_EQ(ending.text(), "ended with status 3");
}

TEST_F(Child, SilenceIsATimeoutAndAStopIsSeen) {
  EXPECT_EQ(child_.receive(stop_, 0.01).event, Event::timeout);
  stop_.request();
  EXPECT_EQ(child_.receive(stop_, 1e9).event, Event::stopped);
}

TEST_F(Child, IsInAProcessGroupOfItsOwn) {
  EXPECT_EQ(getpgid(child_.pid()), child_.pid());
}

TEST(ChildProcess, IsGoneWithItsOwner) {
  pid_t pid = -1;
  {
    const ChildProcess child(CHILD_OF_TEST, {"serve"});
    pid = child.pid();
  }
  EXPECT_TRUE(is_gone(pid));
}

TEST_F(Child, IsGoneWhenItsParentIsKilled) {
  child_.send(record_of("breed"));
  const pid_t grandchild = std::stoi(text_of(child_.receive(stop_, 30)));
  ASSERT_EQ(::kill(grandchild, 0), 0);
  child_.kill();
  EXPECT_EQ(child_.wait().signal, SIGKILL);
  EXPECT_TRUE(is_gone(grandchild));
}

TEST(ChildProcess, AProgramThatIsNotThereIsAnError) {
  EXPECT_THROW(ChildProcess("/no/such/program", {"serve"}), Error);
}

TEST(ParentLink, WithoutAParentThatStartedItThereIsNoLink) {
  EXPECT_THROW(ParentLink(1), Error);
}

}  // namespace
}  // namespace sparkmpi::kernels::child
