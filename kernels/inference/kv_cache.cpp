#include "kernels/inference/kv_cache.hpp"

#include <algorithm>
#include <stdexcept>

namespace sparkmpi::kernels::inference {

KvCache::KvCache(std::int64_t block_count, int block_tokens)
    : block_count_(block_count), block_tokens_(block_tokens) {
  if (block_count < 1 || block_tokens < 1) throw std::invalid_argument("a KV cache needs blocks");
  // Taken from the back: block 0 is handed out first.
  for (std::int64_t block = block_count; block-- > 0;) free_.push_back(static_cast<std::int32_t>(block));
}

int KvCache::open() {
  const auto unused = std::ranges::find(sequences_, false, &Sequence::open);
  if (unused != sequences_.end()) {
    *unused = {true, 0, {}};
    return static_cast<int>(unused - sequences_.begin());
  }
  sequences_.push_back({true, 0, {}});
  return static_cast<int>(sequences_.size()) - 1;
}

void KvCache::close(int sequence) {
  Sequence& closed = sequences_.at(static_cast<std::size_t>(sequence));
  free_.insert(free_.end(), closed.blocks.rbegin(), closed.blocks.rend());
  closed = {};
}

bool KvCache::reserve(int sequence, std::int64_t tokens) {
  Sequence& grown = sequences_.at(static_cast<std::size_t>(sequence));
  const auto wanted = static_cast<std::size_t>((tokens + block_tokens_ - 1) / block_tokens_);
  if (wanted <= grown.blocks.size()) return true;
  if (wanted - grown.blocks.size() > free_.size()) return false;
  while (grown.blocks.size() < wanted) {
    grown.blocks.push_back(free_.back());
    free_.pop_back();
  }
  peak_ = std::max(peak_, block_count_ - free_blocks());
  return true;
}

void KvCache::append(int sequence, std::int64_t tokens) {
  Sequence& grown = sequences_.at(static_cast<std::size_t>(sequence));
  grown.length += tokens;
  if (grown.length > static_cast<std::int64_t>(grown.blocks.size()) * block_tokens_) {
    throw std::logic_error("a sequence outgrew the KV blocks reserved for it");
  }
}

}  // namespace sparkmpi::kernels::inference
