#pragma once
// Buffers that are used again and again: memory costs its first touch once.

#include <mutex>
#include <utility>
#include <vector>

#include "kernels/host/buffer.hpp"

namespace sparkmpi::kernels::host {

/// As many buffers as are out at once, for any number of threads.
///
/// Example:
///   BufferPool::Lease buffer(pool);
///   std::byte* bytes = buffer.at_least(1000);   // until `buffer` goes out of scope
class BufferPool {
 public:
  class Lease {
   public:
    explicit Lease(BufferPool& pool) : pool_(pool), buffer_(pool.take()) {}
    ~Lease() { pool_.give_back(std::move(buffer_)); }
    Lease(const Lease&) = delete;             ///< holds a buffer
    Lease& operator=(const Lease&) = delete;  ///< holds a buffer
    /// Page-aligned; what it held before is lost when it has to grow. Throws Error when the system refuses.
    std::byte* at_least(std::size_t bytes);

   private:
    BufferPool& pool_;
    Buffer buffer_;
  };

 private:
  Buffer take();
  void give_back(Buffer buffer);
  std::mutex mutex_;
  std::vector<Buffer> idle_;
};

}  // namespace sparkmpi::kernels::host
