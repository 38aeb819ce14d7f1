#include <fmt/format.h>

#include "base/error.hpp"
#include "kernels/device/cuda/check.hpp"
#include "kernels/device/cuda/matmul.hpp"
#include "kernels/device/cuda/memory.hpp"
#include "kernels/gemm/cuda/interface.hpp"
#include "kernels/gemm/cuda/matrices.hpp"
#include "kernels/timing/cuda/event_clock.hpp"

namespace sparkmpi::kernels::gemm {
namespace {

std::size_t elements(std::int64_t rows, std::int64_t columns) {
  return static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns);
}

std::size_t input_bytes(NumberFormat format) {
  for (const NumberFormatInfo& info : kNumberFormats) {
    if (info.format == format) return static_cast<std::size_t>(info.bytes);
  }
  return 0;
}

std::size_t output_bytes(NumberFormat format) {
  return format == NumberFormat::fp8_e4m3 ? 2 : input_bytes(format);
}

/// @param scale on the device, 1 / kFp8Factor.
cuda::MatmulProblem problem_of(NumberFormat format, const Shape& shape, const float* scale) {
  cuda::MatmulProblem problem{shape.m, shape.n, shape.k};
  switch (format) {
    case NumberFormat::fp32:
      problem.input = problem.output = CUDA_R_32F;
      problem.compute = CUBLAS_COMPUTE_32F;
      break;
    case NumberFormat::tf32:
      problem.input = problem.output = CUDA_R_32F;
      problem.compute = CUBLAS_COMPUTE_32F_FAST_TF32;
      break;
    case NumberFormat::bf16:
      break;
    case NumberFormat::fp16:
      problem.input = problem.output = CUDA_R_16F;
      break;
    case NumberFormat::fp8_e4m3:
      problem.input = CUDA_R_8F_E4M3;
      problem.w_scale = problem.x_scale = scale;
      problem.fast_accumulation = true;
      break;
  }
  return problem;
}

class CudaProduct final : public Product {
 public:
  CudaProduct(NumberFormat format, const Shape& shape)
      : format_(format),
        shape_(shape),
        library_(std::make_shared<cuda::MatmulLibrary>()),
        w_(elements(shape.m, shape.k) * input_bytes(format), "gemm: w"),
        x_(elements(shape.n, shape.k) * input_bytes(format), "gemm: x"),
        y_(elements(shape.n, shape.m) * output_bytes(format), "gemm: y"),
        scale_(sizeof(float), "gemm: a scale"),
        clock_(stream_),
        matmul_(library_, problem_of(format, shape, scale_.as<float>())) {
    constexpr float kScale = 1 / kFp8Factor;
    cuda::check(cudaMemcpy(scale_.as<void>(), &kScale, sizeof(kScale), cudaMemcpyHostToDevice), "cudaMemcpy");
    launch_fill(w_.as<void>(), format, elements(shape.m, shape.k), 1, stream_);
    launch_fill(x_.as<void>(), format, elements(shape.n, shape.k), 2, stream_);
    cuda::check(cudaMemsetAsync(y_.as<void>(), 0, y_.bytes(), stream_), "cudaMemsetAsync");
    stream_.wait("gemm: fill");
    matmul_.choose_fastest(w_.as<void>(), x_.as<void>(), y_.as<void>(), stream_,
                           [this](const std::function<void()>& product) { return time_candidate(product); });
  }

  void run() override { matmul_.run(w_.as<void>(), x_.as<void>(), y_.as<void>(), stream_); }
  timing::SampleClock* clock() override { return &clock_; }

  Evidence evidence() override {
    const Matrices matrices = {w_.as<void>(), x_.as<void>(), y_.as<void>(), format_, shape_};
    Evidence evidence;
    evidence.rows.resize(static_cast<std::size_t>(shape_.n));
    evidence.samples.resize(kSamples);
    cuda::DeviceMemory sums(static_cast<std::size_t>(shape_.k) * sizeof(double), "gemm: verification");
    cuda::DeviceMemory rows(evidence.rows.size() * sizeof(RowSum), "gemm: verification");
    cuda::DeviceMemory samples(evidence.samples.size() * sizeof(Sample), "gemm: verification");
    launch_row_sums(matrices, sums.as<double>(), rows.as<RowSum>(), stream_);
    launch_samples(matrices, samples.as<Sample>(), stream_);
    stream_.wait("gemm: verification");
    cuda::check(cudaMemcpy(evidence.rows.data(), rows.as<void>(), rows.bytes(), cudaMemcpyDeviceToHost),
                "cudaMemcpy");
    cuda::check(
        cudaMemcpy(evidence.samples.data(), samples.as<void>(), samples.bytes(), cudaMemcpyDeviceToHost),
        "cudaMemcpy");
    return evidence;
  }

  Attributes facts() const override {
    Attributes facts = {{"library", library_->functions().name()},
                        {"algorithm", matmul_.algorithm()},
                        {"workspace_bytes", static_cast<std::int64_t>(cuda::MatmulLibrary::kWorkspaceBytes)}};
    if (format_ == NumberFormat::fp8_e4m3) facts["accumulation"] = std::string("fast");
    return facts;
  }

 private:
  /// The first time loads the algorithm's code; of the others the shortest counts.
  double time_candidate(const std::function<void()>& product) {
    product();
    stream_.wait("gemm: choosing an algorithm");
    double best = clock_.time(product, 1);
    for (int i = 0; i < 3; ++i) best = std::min(best, clock_.time(product, 1));
    return best;
  }

  NumberFormat format_;
  Shape shape_;
  cuda::Stream stream_;
  std::shared_ptr<cuda::MatmulLibrary> library_;
  cuda::DeviceMemory w_, x_, y_, scale_;
  timing::EventClock clock_;
  cuda::Matmul matmul_;
};

std::string refusal(int ordinal, NumberFormat format) {
  int major = 0, minor = 0;
  cuda::check(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, ordinal),
              "cudaDeviceGetAttribute");
  cuda::check(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, ordinal),
              "cudaDeviceGetAttribute");
  const int capability = 10 * major + minor;
  if (format == NumberFormat::fp8_e4m3 && capability < 89)
    return fmt::format("FP8 products need compute capability 8.9; this GPU has {}.{}", major, minor);
  if (capability < 80)
    return fmt::format("compute capability 8.0 is needed; this GPU has {}.{}", major, minor);
  try {
    const cuda::CublasLt library;
  } catch (const Error& missing) {
    return missing.what();
  }
  return {};
}

std::unique_ptr<Product> make(int ordinal, NumberFormat format, const Shape& shape) {
  cuda::check(cudaSetDevice(ordinal), "cudaSetDevice");
  return std::make_unique<CudaProduct>(format, shape);
}

}  // namespace

const CudaGemm& cuda_gemm() {
  static constexpr CudaGemm table = {refusal, make};
  return table;
}

}  // namespace sparkmpi::kernels::gemm
