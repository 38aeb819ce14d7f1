// What child_test.cpp starts: echoes records, dies on command, or becomes a parent itself.

#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "kernels/child/child_process.hpp"
#include "kernels/child/parent_link.hpp"

namespace {

using namespace sparkmpi::kernels;
using child::Record;

Record record_of(std::string_view text) {
  return {text.begin(), text.end()};
}

std::string oom_score() {
  std::ifstream file("/proc/self/oom_score_adj");
  std::string score;
  file >> score;
  return score;
}

/// Starts a child of its own, waits until that is tied to this process, and names it.
void breed(child::ParentLink& parent) {
  child::ChildProcess grandchild("/proc/self/exe", {"serve"});
  grandchild.send(record_of("hello"));
  grandchild.receive(StopSignal(), 30);
  parent.send(record_of(std::to_string(grandchild.pid())));
  while (true) pause();
}

void serve(child::ParentLink& parent) {
  while (const auto record = parent.receive()) {
    const std::string text(record->begin(), record->end());
    if (text == "die") raise(SIGKILL);
    if (text == "leave") std::_Exit(3);
    if (text == "breed") breed(parent);
    parent.send(text == "oom_score" ? record_of(oom_score()) : *record);
  }
}

}  // namespace

/// sparkmpi serve --parent PID, as ChildProcess starts it.
int main(int argc, char** argv) {
  if (argc != 4) return 2;
  try {
    child::ParentLink parent(std::stoi(argv[3]));
    serve(parent);
    return 0;
  } catch (const sparkmpi::Error&) {
    return 4;
  }
}
