#pragma once
// The GPU code as the program sees it: a module of its own, loaded at run time, so that the program starts
// where no NVIDIA library exists.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/device/device.hpp"

namespace sparkmpi::kernels {

/// What crosses the boundary of the module: plain data and functions. Functions return an empty text, or
/// CUDA's own error.
struct CudaModuleApi {
  /// SPARKMPI_CUDA_INTERFACE, a digest of the headers that program and module were compiled with
  /// (cmake/SparkmpiCuda.cmake). First whatever else changes.
  std::uint32_t interface_digest = 0;
  std::string (*enumerate)(std::vector<Device>& devices) = nullptr;
  /// cudaMemGetInfo of one device, in bytes. Makes a context on it.
  std::string (*memory)(int ordinal, std::uint64_t& free, std::uint64_t& total) = nullptr;
  /// One workload's own table of functions by its name, null for one that the module lacks
  /// (kernels/suite/cuda_interfaces.cpp holds the list).
  const void* (*interface)(std::string_view name) = nullptr;
};

class CudaModule {
 public:
  /// Loads libsparkmpi_cuda.so from the program's folder or ../lib beside it. Where that fails, reason() says
  /// why in one line.
  CudaModule();
  ~CudaModule();
  CudaModule(const CudaModule&) = delete;             ///< owns a library handle
  CudaModule& operator=(const CudaModule&) = delete;  ///< owns a library handle

  /// Ordinal order; empty without the module, a driver or a GPU.
  const std::vector<Device>& devices() const { return devices_; }
  /// Why there are no devices; empty when there are some.
  const std::string& reason() const { return reason_; }
  /// Only for a device of devices(). Throws Error with CUDA's words.
  struct Memory {
    std::uint64_t free, total;
  };
  Memory memory(int ordinal) const;

  /// A workload's GPU side: a struct of function pointers with `static constexpr std::string_view
  /// kInterface`, declared beside the workload and filled in by its cuda/ folder. Null without the module.
  template <class Interface>
  const Interface* find() const {
    return api_ == nullptr ? nullptr : static_cast<const Interface*>(api_->interface(Interface::kInterface));
  }

 private:
  void* handle_ = nullptr;
  const CudaModuleApi* api_ = nullptr;
  std::vector<Device> devices_;
  std::string reason_;
};

/// The memory model behind a device's CUDA attributes (docs/metrics.md has the table).
struct MemoryAttributes {
  bool integrated, pageable_access, host_page_tables, concurrent_managed;
};
MemoryModel memory_model(const MemoryAttributes& attributes);

}  // namespace sparkmpi::kernels
