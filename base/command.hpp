#pragma once
// Other programs, started by their argument list: no shell, so nothing in a name is ever interpreted.

#include <string>
#include <vector>

namespace sparkmpi {

struct CommandResult {
  int status = 0;      ///< exit status, or 128 + the signal that ended it
  std::string output;  ///< what it wrote to its standard output
  std::string errors;  ///< and to its standard error
};

/// Runs a program to its end with empty standard input. `argv[0]` is looked up in PATH. Throws Error when it
/// can't be started (the line names it); a program that fails is no error here.
CommandResult run_command(const std::vector<std::string>& argv);

/// The arguments as a person could paste them into a POSIX shell; for display only.
std::string shell_text(const std::vector<std::string>& argv);

/// Pointers to the words with a null behind them, as exec and posix_spawn take them without writing to the
/// words; the words outlive them.
std::vector<char*> exec_words(const std::vector<std::string>& words);

/// This process's environment variables: "NAME=value".
std::vector<std::string> process_variables();

/// Where PATH finds a program; empty when it does not.
std::string find_program(const std::string& name);

}  // namespace sparkmpi
