#include "cli/charge_cell_command.hpp"

#include "cli/parse_options.hpp"
#include "kernels/charge/cell.hpp"

namespace sparkmpi::cli {
namespace {

namespace po = boost::program_options;

constexpr int kDescriptor = 3;  ///< where kernels/charge/cell_parent.cpp puts the socket

}  // namespace

int charge_cell_command(const std::vector<std::string>& arguments) {
  kernels::charge::CellRequest request;
  po::options_description options;
  auto add = options.add_options();
  add("allocator", po::value(&request.allocator)->required(), "");
  add("bytes", po::value(&request.bytes)->required(), "");
  add("scratch", po::value(&request.scratch_file), "");
  add("device", po::value(&request.device)->required(), "");
  parse_options(arguments, options);
  return run_cell(request, kDescriptor);
}

}  // namespace sparkmpi::cli
