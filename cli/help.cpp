#include "cli/help.hpp"

#include <fmt/format.h>

#include <sstream>

#include "cli/version.hpp"
#include "kernels/registry.hpp"

namespace sparkmpi::cli {

std::string general_help() {
  std::string text = fmt::format(
      "sparkmpi {}: memory and LLM inference benchmarks on every rank, in one HDF5 file\n\n"
      "  mpirun -np N sparkmpi [run] [KERNEL...] [options]   measure; without a kernel: the default suite\n"
      "  sparkmpi list kernels|models|metrics|ledgers|devices|environments\n"
      "  sparkmpi show FILE                                  summary of a result file\n"
      "  sparkmpi compare FILES --by FACTOR                  different, equivalent or undecided, and by how "
      "much\n"
      "  sparkmpi scale FILES                                speed-up and efficiency over ranks and nodes\n"
      "  sparkmpi audit FILES                                what in the numbers cannot be right\n"
      "  sparkmpi report FILES -o FILE.html                  one offline page: figures, sentences, audit\n"
      "  sparkmpi export FILES, import FILES                 the raw samples as a table; other programs' "
      "results\n"
      "  sparkmpi launch ENV -np N -- ARGS                   ranks in a chroot, cgroup or container\n"
      "  sparkmpi rootfs create|extract|check|enter          root file systems for chroot\n"
      "  sparkmpi doctor                                     would a run work here, and what to do if not\n"
      "  sparkmpi hostfile [FILE]                            hosts asked, compared, and as a host file\n"
      "  sparkmpi slurm [PLAN] -- ARGS                       a batch script, or a Kubernetes MPIJob\n"
      "  sparkmpi study PLAN                                 a randomised, resumable set of launches\n"
      "  sparkmpi cgroup --memory SIZE -- COMMAND            a command in a memory cgroup of its own\n\n"
      "Kernels (sparkmpi KERNEL --help for its options):\n",
      version());
  for (const kernels::KernelInfo& kernel : kernels::registry())
    text += fmt::format("  {:<10} {}\n", kernel.name, kernel.summary);
  text +=
      "\nExamples:\n"
      "  mpirun -np 2 sparkmpi\n"
      "  mpirun -np 2 sparkmpi inference -m ./SmolLM2-135M -p 512,2048 -n 128 -b 1,4 -o run.h5\n"
      "  sparkmpi show run.h5\n"
      "  sparkmpi compare native.h5 docker.h5 --by environment\n";
  return text;
}

std::string command_help(std::string_view usage, std::string_view summary,
                         const boost::program_options::options_description& options,
                         std::string_view example) {
  std::ostringstream out;
  out << "Usage: " << usage << "\n\n" << summary << "\n\n" << options << "\nExample: " << example << "\n";
  return out.str();
}

}  // namespace sparkmpi::cli
