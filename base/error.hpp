#pragma once
// What sparkmpi throws. Each message is one line: what is wrong, where, and what to do about it.

#include <stdexcept>
#include <string>

namespace sparkmpi {

/// A measurement, a file or the machine failed; the program ends with exit status 1.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The command line or an input file asks for something that makes no sense; exit status 2.
class UsageError : public Error {
 public:
  using Error::Error;
};

}  // namespace sparkmpi
