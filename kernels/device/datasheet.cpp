#include "kernels/device/datasheet.hpp"

#include <algorithm>
#include <array>
#include <limits>

namespace sparkmpi::kernels {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr double kGB = 1e9, kTera = 1e12;

struct Entry {
  std::string_view name;
  double gigabytes_per_s;
  double fp32, tf32, bf16, fp8;  ///< 1e12 operations a second
  std::string_view source;
};

// Where a document gives only the rate with sparsity, half of it stands here.
constexpr std::string_view kH100 = "NVIDIA H100 Tensor Core GPU Architecture (white paper), table 2";
constexpr std::string_view kH100Nvl = "NVIDIA H100 datasheet, H100 NVL";
constexpr std::string_view kH200 = "NVIDIA H200 datasheet";
constexpr std::string_view kGh200 = "NVIDIA GH200 Grace Hopper Superchip datasheet";
constexpr std::string_view kA100 = "NVIDIA A100 datasheet";
constexpr std::string_view kAda = "NVIDIA Ada GPU Architecture (white paper), appendix A";
constexpr std::string_view kRtxBlackwell = "NVIDIA RTX Blackwell GPU Architecture (white paper), appendix A";
constexpr std::string_view kRtxPro = "NVIDIA RTX PRO Blackwell GPU Architecture (white paper)";
constexpr std::string_view kB200 = "NVIDIA DGX B200 datasheet, an eighth of the system";
constexpr std::string_view kGb200 = "NVIDIA GB200 NVL72 specifications, a half of the superchip";

constexpr std::array kEntries = {
    Entry{"NVIDIA H100 80GB HBM3", 3352, 66.9, 494.7, 989.4, 1978.9, kH100},
    Entry{"NVIDIA H100 PCIe", 2039, 51.2, 378, 756, 1513, kH100},
    Entry{"NVIDIA H100 NVL", 3938, 60, 417.5, 835.5, 1670.5, kH100Nvl},
    Entry{"NVIDIA H200", 4800, 67, 494.5, 989.5, 1979, kH200},
    Entry{"NVIDIA H200 NVL", 4800, 60, 417.5, 835.5, 1670.5, kH200},
    Entry{"NVIDIA GH200 480GB", 4000, 67, 494, 990, 1979, kGh200},
    Entry{"NVIDIA GH200 120GB", 4000, 67, 494, 990, 1979, kGh200},
    Entry{"NVIDIA GH200 144G HBM3e", 4900, 67, 494, 990, 1979, kGh200},
    Entry{"NVIDIA A100-SXM4-40GB", 1555, 19.5, 156, 312, kNone, kA100},
    Entry{"NVIDIA A100-PCIE-40GB", 1555, 19.5, 156, 312, kNone, kA100},
    Entry{"NVIDIA A100-SXM4-80GB", 2039, 19.5, 156, 312, kNone, kA100},
    Entry{"NVIDIA A100 80GB PCIe", 1935, 19.5, 156, 312, kNone, kA100},
    Entry{"NVIDIA A10", 600, 31.2, 62.5, 125, kNone, "NVIDIA A10 datasheet"},
    Entry{"NVIDIA A40", 696, 37.4, 74.8, 149.7, kNone, "NVIDIA A40 datasheet"},
    Entry{"NVIDIA L4", 300, 30.3, 60, 121, 242.5, "NVIDIA L4 datasheet"},
    Entry{"NVIDIA L40", 864, 90.5, 90.5, 181.05, 362, "NVIDIA L40 datasheet"},
    Entry{"NVIDIA L40S", 864, 91.6, 183, 362.05, 733, "NVIDIA L40S datasheet"},
    Entry{"NVIDIA GeForce RTX 4090", 1008, 82.6, 82.6, 165.2, 330.3, kAda},
    Entry{"NVIDIA GeForce RTX 5090", 1792, 104.8, 104.8, 209.5, 419, kRtxBlackwell},
    Entry{"NVIDIA RTX PRO 6000 Blackwell Workstation Edition", 1792, 126, 251.9, 503.8, 1007.6, kRtxPro},
    Entry{"NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition", 1792, kNone, kNone, kNone, kNone,
          kRtxPro},
    Entry{"NVIDIA RTX PRO 6000 Blackwell Server Edition", 1597, 120, kNone, kNone, kNone,
          "NVIDIA RTX PRO 6000 Blackwell Server Edition datasheet"},
    Entry{"NVIDIA B200", 8000, 75, 1125, 2250, 4500, kB200},
    Entry{"NVIDIA GB200", 8000, 80, 1250, 2500, 5000, kGb200},
    Entry{"NVIDIA GB10", 273, kNone, kNone, kNone, kNone, "NVIDIA DGX Spark hardware specifications"},
};

}  // namespace

double Datasheet::flops_per_s(NumberFormat format) const {
  switch (format) {
    case NumberFormat::fp32:
      return fp32_flops_per_s;
    case NumberFormat::tf32:
      return tf32_flops_per_s;
    case NumberFormat::bf16:
    case NumberFormat::fp16:
      return bf16_flops_per_s;
    case NumberFormat::fp8_e4m3:
      return fp8_flops_per_s;
  }
  return kNone;
}

Datasheet datasheet_of(std::string_view device_name) {
  const auto found = std::ranges::find(kEntries, device_name, &Entry::name);
  if (found == kEntries.end()) return {kNone, kNone, kNone, kNone, kNone, {}};
  return {found->gigabytes_per_s * kGB, found->fp32 * kTera, found->tf32 * kTera,
          found->bf16 * kTera,          found->fp8 * kTera,  found->source};
}

}  // namespace sparkmpi::kernels
