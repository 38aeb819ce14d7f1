#pragma once
// Paged KV cache bookkeeping: blocks of tokens, sequences that own blocks. Where the bytes live is the
// engine's business.

#include <cstdint>
#include <span>
#include <vector>

namespace sparkmpi::kernels::inference {

/// Hands out fixed-size blocks to sequences. Not thread-safe: the scheduler's thread owns it.
class KvCache {
 public:
  /// @param block_count blocks in the pool; @param block_tokens tokens a block holds (16 unless told).
  KvCache(std::int64_t block_count, int block_tokens);

  int block_tokens() const { return block_tokens_; }
  std::int64_t block_count() const { return block_count_; }
  std::int64_t free_blocks() const { return static_cast<std::int64_t>(free_.size()); }
  /// Most blocks ever in use at once.
  std::int64_t peak_blocks() const { return peak_; }

  /// A new, empty sequence; handles are reused after close().
  int open();
  /// Gives all its blocks back.
  void close(int sequence);
  /// Makes room for `tokens` tokens in total. False, changing nothing, when the pool has too few free blocks.
  bool reserve(int sequence, std::int64_t tokens);
  /// Tokens whose keys and values have been written.
  std::int64_t length(int sequence) const { return sequences_.at(static_cast<std::size_t>(sequence)).length; }
  /// Called by the engine after it has appended.
  void append(int sequence, std::int64_t tokens);
  /// The sequence's blocks in order; token t is in blocks()[t / block_tokens].
  std::span<const std::int32_t> blocks(int sequence) const {
    return sequences_.at(static_cast<std::size_t>(sequence)).blocks;
  }

 private:
  struct Sequence {
    bool open = false;
    std::int64_t length = 0;
    std::vector<std::int32_t> blocks;
  };
  std::int64_t block_count_;
  int block_tokens_;
  std::int64_t peak_ = 0;
  std::vector<std::int32_t> free_;
  std::vector<Sequence> sequences_;
};

}  // namespace sparkmpi::kernels::inference
