// Mutates seed files a given number of times and hands the results to the target:  fuzz_NAME COUNT SEED_FILE
// … A finding names the mutation's number, which reproduces it: the generator starts from the same state
// every time.

#include "tests/fuzz/driver.hpp"

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iterator>
#include <random>
#include <vector>

#include "base/error.hpp"

namespace {

using Bytes = std::vector<std::byte>;

Bytes read(const char* path) {
  std::ifstream file(path, std::ios::binary);
  const std::vector<char> text{std::istreambuf_iterator<char>(file), {}};
  if (text.empty()) {
    std::fprintf(stderr, "%s: is empty or can't be read\n", path);
    std::exit(2);
  }
  Bytes bytes;
  for (const char c : text) bytes.push_back(static_cast<std::byte>(c));
  return bytes;
}

class Mutator {
 public:
  explicit Mutator(std::vector<Bytes> seeds) : seeds_(std::move(seeds)) {}

  Bytes next() {
    Bytes bytes = seeds_[below(seeds_.size())];
    for (std::size_t i = 1 + below(6); i > 0 && !bytes.empty(); --i) mutate(bytes);
    return bytes;
  }

 private:
  std::size_t below(std::size_t count) { return generator_() % count; }
  auto at(Bytes& bytes) { return bytes.begin() + static_cast<std::ptrdiff_t>(below(bytes.size())); }

  void mutate(Bytes& bytes) {
    constexpr std::string_view kTokens[] = {"-1",
                                            "0",
                                            "18446744073709551616",
                                            "9223372036854775807",
                                            "1e308",
                                            "null",
                                            "[]",
                                            "{}",
                                            "\"",
                                            "\\u0000",
                                            "NaN",
                                            "true",
                                            ",",
                                            "[",
                                            "{\"a\":"};
    switch (below(6)) {
      case 0:
        *at(bytes) = static_cast<std::byte>(generator_());
        break;
      case 1:
        *at(bytes) ^= static_cast<std::byte>(1U << below(8));
        break;
      case 2:
        bytes.resize(below(bytes.size() + 1));
        break;
      case 3:
        bytes.erase(at(bytes));
        break;
      case 4: {  // a piece of it twice
        const auto from = at(bytes);
        const Bytes piece(from, from + static_cast<std::ptrdiff_t>(
                                           below(static_cast<std::size_t>(bytes.end() - from)) + 1));
        bytes.insert(at(bytes), piece.begin(), piece.end());
        break;
      }
      default: {
        const std::string_view token = kTokens[below(std::size(kTokens))];
        const auto place = at(bytes);
        const auto data = std::as_bytes(std::span(token));
        bytes.insert(place, data.begin(), data.end());
      }
    }
  }

  std::vector<Bytes> seeds_;
  std::mt19937_64 generator_{20261};
};

}  // namespace

int main(int count, char** arguments) {
  if (count < 3) {
    std::fputs("usage: fuzz_NAME COUNT SEED_FILE …\n", stderr);
    return 2;
  }
  std::vector<Bytes> seeds;
  for (int i = 2; i < count; ++i) seeds.push_back(read(arguments[i]));
  for (const Bytes& seed : seeds) sparkmpi::fuzz::try_input(seed);  // seeds are good: no exception
  Mutator mutator(std::move(seeds));
  long accepted = 0;
  const long wanted = std::atol(arguments[1]);
  for (long number = 0; number < wanted; ++number) {
    const Bytes input = mutator.next();
    try {
      sparkmpi::fuzz::try_input(input);
      ++accepted;
    } catch (const sparkmpi::UsageError&) {
    } catch (const std::exception& error) {
      std::fprintf(stderr, "mutation %ld: %s\n", number, error.what());
      std::ofstream("finding.bin", std::ios::binary)
          .write(reinterpret_cast<const char*>(input.data()), static_cast<std::streamsize>(input.size()));
      return 1;
    }
  }
  std::printf("%ld mutations, %ld of them still valid\n", wanted, accepted);
}
